using System.Text;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What the choices of an item scored.</summary>
/// <param name="Sums">Natural-log probability of each choice, summed over its tokens.</param>
/// <param name="ByCharacters">The same for each character of the choice.</param>
internal sealed record ChoiceScores(double[] Sums, double[] ByCharacters)
{
    public static ChoiceScores Of(double[] sums, IReadOnlyList<string> choices) =>
        new(sums, ByLength(sums, choices, Characters));

    /// <summary>The most probable choice.</summary>
    public int Best => FirstGreatest(Sums);

    /// <summary>The most probable choice for its characters.</summary>
    public int BestByCharacters => FirstGreatest(ByCharacters);

    /// <summary>Whether all sums are numbers.</summary>
    public static bool AreFinite(ChoiceScores scores) => Array.TrueForAll(scores.Sums, double.IsFinite);

    /// <summary>The index of the greatest score, of the first where there are several.</summary>
    public static int FirstGreatest(ReadOnlySpan<double> scores)
    {
        var best = 0;
        for (var i = 1; i < scores.Length; i++)
        {
            if (scores[i] > scores[best])
                best = i;
        }
        return best;
    }

    /// <summary>Sums divided by their choices' lengths; minus infinity for a choice without any, which is chosen last.</summary>
    public static double[] ByLength(double[] sums, IReadOnlyList<string> choices, Func<string, int> length) =>
        [.. sums.Select((sum, i) => length(choices[i]) is > 0 and var own ? sum / own : double.NegativeInfinity)];

    /// <summary>Characters as Unicode counts them: code points.</summary>
    public static int Characters(string text) => text.EnumerateRunes().Count();

    /// <summary>Bytes in UTF-8.</summary>
    public static int Bytes(string text) => Encoding.UTF8.GetByteCount(text);
}
