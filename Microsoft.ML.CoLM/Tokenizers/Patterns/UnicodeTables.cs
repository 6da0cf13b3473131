using System.Globalization;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What .NET does not tell of Unicode: scripts and some properties, and which characters differ only in case.</summary>
internal static class UnicodeTables
{
    private static readonly Lazy<Tables> Read = new(ReadTables);

    /// <summary>Sets by their names, which are in lower case without separators.</summary>
    public static IReadOnlyDictionary<string, CodePointSet> Properties => Read.Value.Properties;

    /// <summary>For each character that has any, those that differ from it only in case.</summary>
    public static IReadOnlyDictionary<int, CodePointSet> OtherCases => Read.Value.OtherCases;

    /// <summary>What case folding makes of characters that it changes into one other.</summary>
    public static IReadOnlyDictionary<int, int> Folded => Read.Value.Folded;

    /// <summary>The characters that differ only in case from two or three others in a row.</summary>
    public static CodePointSet LikeSequences => Read.Value.LikeSequences;

    /// <summary>The rows of two or three characters in lower case that differ from a single one only in case.</summary>
    public static IReadOnlyList<int[]> Sequences => Read.Value.Sequences;

    private static Tables ReadTables()
    {
        using Stream stream = typeof(UnicodeTables).Assembly.GetManifestResourceStream("UnicodeTables.txt")
            ?? throw new InvalidOperationException("The assembly has no UnicodeTables.txt.");
        using var reader = new StreamReader(stream);
        Dictionary<string, CodePointSet> properties = [];
        Dictionary<int, CodePointSet> otherCases = [];
        Dictionary<int, int> folded = [];
        List<int> likeSequences = [];
        List<int[]> sequences = [];
        while (reader.ReadLine() is { } line)
        {
            switch (line[0])
            {
                case '#':
                    break;
                case '=':
                    int[] cases = CodePoints(line[1..]);
                    AddCases(otherCases, cases);
                    foreach (int codePoint in cases[1..])
                        folded.Add(codePoint, cases[0]);
                    break;
                case '+':
                    string[] sides = line[1..].Split('=');
                    int[] singles = CodePoints(sides[1]);
                    sequences.Add(CodePoints(sides[0]));
                    likeSequences.AddRange(singles);
                    AddCases(otherCases, singles);
                    break;
                default:
                    string[] parts = line.Split(':');
                    CodePointSet set = Ranges(parts[1]);
                    foreach (string name in parts[0].Split(' '))
                        properties.Add(name, set);
                    break;
            }
        }
        return new(properties, otherCases, folded, CodePointSet.Union(likeSequences.Select(CodePointSet.Of)), sequences);
    }

    private static void AddCases(Dictionary<int, CodePointSet> otherCases, int[] cases)
    {
        CodePointSet set = CodePointSet.Union(cases.Select(CodePointSet.Of));
        foreach (int codePoint in cases)
            otherCases[codePoint] = otherCases.TryGetValue(codePoint, out CodePointSet? known) ? known.Or(set) : set;
    }

    private static CodePointSet Ranges(string text) =>
        CodePointSet.Union(text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(range =>
        {
            string[] ends = range.Split('-');
            return CodePointSet.Range(CodePoint(ends[0]), CodePoint(ends[^1]));
        }));

    private static int[] CodePoints(string text) =>
        [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(CodePoint)];

    private static int CodePoint(string text) => int.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private sealed record Tables(
        Dictionary<string, CodePointSet> Properties,
        Dictionary<int, CodePointSet> OtherCases,
        Dictionary<int, int> Folded,
        CodePointSet LikeSequences,
        List<int[]> Sequences);
}
