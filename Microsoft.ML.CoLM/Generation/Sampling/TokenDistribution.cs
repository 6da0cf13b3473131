using System.Numerics.Tensors;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// The tokens that may come next, in no order, and a weight for each: its probability times their sum.
/// </summary>
/// <remarks>Holds its memory, so that a distribution that is filled again allocates nothing.</remarks>
internal sealed class TokenDistribution
{
    /// <summary>Tokens whose largest score is compared first.</summary>
    public const int BlockSize = 64;

    private float[] _weights = [];
    private int[] _ids = [];
    private float[] _blockMaxima = [];
    private int[] _blockIndices = [];

    /// <summary>How many tokens may come next.</summary>
    public int Count { get; private set; }

    /// <summary>The sum of all weights.</summary>
    public double Total { get; private set; }

    public Span<float> Weights => _weights.AsSpan(0, Count);

    public Span<int> Ids => _ids.AsSpan(0, Count);

    /// <summary>The largest probability.</summary>
    public double TopProbability => TensorPrimitives.Max(Weights) / Total;

    /// <summary>A token's probability; 0 where it cannot come next.</summary>
    public double Probability(int id)
    {
        var index = Ids.IndexOf(id);
        return index < 0 ? 0 : Weights[index] / Total;
    }

    /// <summary>Takes scores as weights, those of all tokens or of some.</summary>
    public void Assign(ReadOnlySpan<float> scores, ReadOnlySpan<int> ids)
    {
        Resize(scores.Length);
        scores.CopyTo(Weights);
        ids.CopyTo(Ids);
    }

    /// <summary>Takes the largest scores as weights; of equal ones the lowest ids.</summary>
    public void AssignLargest(ReadOnlySpan<float> scores, int count)
    {
        var bound = Bound(scores, count);
        Resize(0);
        for (var start = 0; start < scores.Length; start += BlockSize)
        {
            var block = scores.Slice(start, Math.Min(BlockSize, scores.Length - start));
            if (_blockMaxima[start / BlockSize] < bound)
                continue;
            Reserve(Count + block.Length);
            for (var i = 0; i < block.Length; i++)
            {
                if (block[i] < bound)
                    continue;
                (_weights[Count], _ids[Count]) = (block[i], start + i);
                Count++;
            }
        }
        LargestFirst.SelectCount(Weights, Ids, count);
        Count = Math.Min(Count, count);
    }

    /// <summary>As <see cref="AssignLargest(ReadOnlySpan{float}, int)"/>, of the tokens that it would look at.</summary>
    public void AssignLargest(ReadOnlySpan<float> scores, ReadOnlySpan<int> ids, int count)
    {
        Assign(scores, ids);
        LargestFirst.SelectCount(Weights, Ids, count);
        Count = Math.Min(Count, count);
    }

    /// <summary>Makes weights of scores: the most probable token's is 1.</summary>
    public void Exponentiate(float best, float temperature)
    {
        TensorPrimitives.Subtract(Weights, best, Weights);
        if (temperature != 1)
            TensorPrimitives.Divide(Weights, temperature, Weights);
        TensorPrimitives.Exp(Weights, Weights);
        Total = TensorPrimitives.Sum<float>(Weights);
    }

    /// <summary>Keeps the fewest most probable tokens whose probabilities sum up to a number.</summary>
    public void KeepProbability(double sum)
    {
        // Tokens below the bound have less than 1 - sum between them: the others reach the sum without them.
        Keep((float)((1 - sum) * Total / Count));
        Count = LargestFirst.SelectSum(Weights, Ids, sum * Total);
        Total = TensorPrimitives.Sum<float>(Weights);
    }

    /// <summary>Keeps tokens of at least some weight.</summary>
    public void KeepWeight(float bound)
    {
        Keep(bound);
        Total = TensorPrimitives.Sum<float>(Weights);
    }

    /// <summary>Draws a token.</summary>
    public int Draw(Random random)
    {
        var rest = random.NextDouble() * Total;
        var start = 0;
        for (; Count - start > BlockSize; start += BlockSize)
        {
            double sum = TensorPrimitives.Sum<float>(Weights.Slice(start, BlockSize));
            if (rest < sum)
                break;
            rest -= sum;
        }
        for (var i = start; i < Count; i++)
        {
            rest -= _weights[i];
            if (rest < 0)
                return _ids[i];
        }
        // Rounding can leave a rest behind the last token.
        return _ids[Weights.LastIndexOfAnyExcept(0)];
    }

    /// <summary>
    /// Leaves of this distribution what another has too little of: max(0, p - q), the distribution to draw from where a
    /// token that the other drew was rejected (Leviathan et al. 2023).
    /// </summary>
    /// <param name="other">The other, q.</param>
    /// <param name="scratch">[V], all 0, and all 0 again afterwards.</param>
    /// <returns>
    /// False when nothing is left, which rounding alone can cause; the distribution is then as it was.
    /// </returns>
    public bool Subtract(TokenDistribution other, Span<double> scratch)
    {
        for (var i = 0; i < other.Count; i++)
            scratch[other._ids[i]] = other._weights[i] / other.Total;
        double left = 0;
        for (var i = 0; i < Count; i++)
            left += Math.Max(0, _weights[i] / Total - scratch[_ids[i]]);
        if (left > 0)
        {
            for (var i = 0; i < Count; i++)
                _weights[i] = (float)Math.Max(0, _weights[i] / Total - scratch[_ids[i]]);
            Total = left;
        }
        for (var i = 0; i < other.Count; i++)
            scratch[other._ids[i]] = 0;
        return left > 0;
    }

    /// <summary>
    /// The entropy in nats, and how much more probable the most probable token is than the second.
    /// </summary>
    public (double Entropy, double Margin) Confidence()
    {
        double sum = 0;
        float first = 0, second = 0;
        foreach (var weight in Weights)
        {
            if (weight > 0)
                sum += weight * Math.Log(weight);
            second = Math.Max(second, Math.Min(first, weight));
            first = Math.Max(first, weight);
        }
        return (Math.Max(0, Math.Log(Total) - sum / Total), (first - second) / Total);
    }

    /// <summary>A number that at least so many scores reach; leaves each block's largest score behind.</summary>
    private float Bound(ReadOnlySpan<float> scores, int count)
    {
        var blocks = (scores.Length + BlockSize - 1) / BlockSize;
        if (_blockIndices.Length < blocks)
            (_blockMaxima, _blockIndices) = (new float[blocks], new int[blocks]);
        for (var block = 0; block < blocks; block++)
        {
            var start = block * BlockSize;
            _blockMaxima[block] = TensorPrimitives.Max(scores[start..Math.Min(start + BlockSize, scores.Length)]);
            _blockIndices[block] = block;
        }
        if (count > blocks)
            return float.NegativeInfinity;

        // The largest scores of as many blocks are so many scores.
        Resize(0);
        Reserve(blocks);
        var maxima = _weights.AsSpan(0, blocks);
        _blockMaxima.AsSpan(0, blocks).CopyTo(maxima);
        LargestFirst.SelectCount(maxima, _blockIndices.AsSpan(0, blocks), count);
        return TensorPrimitives.Min<float>(maxima[..count]);
    }

    private void Keep(float bound)
    {
        var kept = 0;
        for (var i = 0; i < Count; i++)
        {
            if (_weights[i] < bound)
                continue;
            (_weights[kept], _ids[kept]) = (_weights[i], _ids[i]);
            kept++;
        }
        Count = kept;
    }

    private void Resize(int count)
    {
        Reserve(count);
        Count = count;
    }

    private void Reserve(int count)
    {
        if (count <= _ids.Length)
            return;
        var size = Math.Max(count, 2 * _ids.Length);
        Array.Resize(ref _weights, size);
        Array.Resize(ref _ids, size);
    }
}
