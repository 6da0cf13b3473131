using System.Globalization;
using Microsoft.ML.CoLM.Kernels;

namespace Benchmarks;

/// <summary>Sixteen numbers, of which a group's weights are the nearest ones times the group's best scale.</summary>
/// <param name="numbers">In rising order.</param>
internal sealed class CodeBook(float[] numbers)
{
    private const int Candidates = 17;
    private const float FirstShare = 0.72f;
    private const float LastShare = 1.28f;
    private const float Largest = 127;

    /// <summary>-8 to 7.</summary>
    public static CodeBook Even() => new([.. Enumerable.Range(-8, 16).Select(number => (float)number)]);

    /// <summary>What rounding changes, relative to the weights.</summary>
    public double Error(ReadOnlySpan<float> weights)
    {
        var (changed, all) = (0.0, 0.0);
        for (var first = 0; first + PackedWeight.GroupWidth <= weights.Length; first += PackedWeight.GroupWidth)
        {
            var group = weights.Slice(first, PackedWeight.GroupWidth);
            changed += Best(group).Error;
            foreach (var weight in group)
                all += weight * weight;
        }
        return Math.Sqrt(changed / all);
    }

    /// <summary>Lloyd's algorithm: by turns, each group's best scale, and each number's mean of the weights that take it.</summary>
    public CodeBook Fitted(ReadOnlySpan<float> weights, int rounds)
    {
        var current = this;
        for (var round = 0; round < rounds; round++)
            current = current.Refined(weights);
        return new(Array.ConvertAll(current.Numbers, MathF.Round));
    }

    public override string ToString() => string.Join(", ", Numbers.Select(number => number.ToString(CultureInfo.InvariantCulture)));

    private float[] Numbers => numbers;

    private CodeBook Refined(ReadOnlySpan<float> weights)
    {
        var (sums, squares) = (new double[numbers.Length], new double[numbers.Length]);
        for (var first = 0; first + PackedWeight.GroupWidth <= weights.Length; first += PackedWeight.GroupWidth)
        {
            var group = weights.Slice(first, PackedWeight.GroupWidth);
            var scale = Best(group).Scale;
            foreach (var weight in group)
            {
                var place = Place(weight / scale);
                sums[place] += (double)weight * scale;
                squares[place] += (double)scale * scale;
            }
        }
        // Zero stays: what is zero is to be zero still.
        var zero = Array.FindIndex(numbers, number => number == 0);
        var refined = numbers.Select((number, i) => i == zero || squares[i] == 0 ? number : sums[i] / squares[i]).ToArray();
        var most = Math.Max(-refined[0], refined[^1]);
        return new(Array.ConvertAll(refined, number => (float)(number / most * Largest)));
    }

    private (double Error, float Scale) Best(ReadOnlySpan<float> group)
    {
        var largest = PackedScale.LargestMagnitude(group);
        var (least, best) = (double.PositiveInfinity, 1f);
        for (var candidate = 0; candidate < 2 * Candidates && largest > 0; candidate++)
        {
            var share = FirstShare + (LastShare - FirstShare) * (candidate / 2) / (Candidates - 1);
            var scale = PackedScale.Nearest(share * largest / (candidate % 2 == 0 ? numbers[^1] : numbers[0]));
            for (var refinement = 0; refinement < 2; refinement++)
            {
                var (error, products, squares) = (0.0, 0.0, 0.0);
                foreach (var weight in group)
                {
                    var number = numbers[Place(weight / scale)];
                    error += Math.Pow(weight - scale * number, 2);
                    products += weight * number;
                    squares += number * number;
                }
                if (error < least)
                    (least, best) = (error, scale);
                if (squares > 0)
                    scale = PackedScale.Nearest((float)(products / squares));
            }
        }
        return (double.IsFinite(least) ? least : 0, best);
    }

    private int Place(float weight)
    {
        var place = 0;
        while (place + 1 < numbers.Length && weight > (numbers[place] + numbers[place + 1]) / 2)
            place++;
        return place;
    }
}
