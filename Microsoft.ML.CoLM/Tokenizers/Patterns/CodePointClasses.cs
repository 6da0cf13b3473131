using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The characters of Unicode in classes that some sets do not tell apart, each of which has a character of the basic plane
/// as its name: what an expression of those sets does to a text, one of the classes' names does to the text of names.
/// </summary>
internal sealed class CodePointClasses
{
    private const int PageBits = 8;
    private const int PageSize = 1 << PageBits;
    private const int PageMask = PageSize - 1;
    private const int PageCount = 0x110000 / PageSize;

    private readonly int[] _firsts; // the first member of each class, ascending
    private readonly int[] _pages; // where each page of code points begins among the names
    private readonly char[] _names;

    /// <summary>Finds the classes.</summary>
    /// <exception cref="FormatException">There are more than the basic plane has characters.</exception>
    public CodePointClasses(IEnumerable<CodePointSet> sets)
    {
        CodePointSet[] all = [.. sets];
        int[] edges = [.. all.SelectMany(set => set.Edges.ToArray()).Append(0).Where(edge => edge < 0x110000).Distinct().Order()];
        int[] classes = Refine(all, edges);
        int[] numbers = [.. classes.Distinct()];
        if (numbers.Length > char.MaxValue)
            throw new FormatException("it tells too many kinds of characters apart");
        Dictionary<int, char> names = [];
        foreach (int number in numbers)
            names.Add(number, (char)names.Count);
        Dictionary<int, int> firsts = [];
        for (var range = 0; range < edges.Length; range++)
            firsts.TryAdd(classes[range], edges[range]);
        _firsts = [.. numbers.Select(number => firsts[number])];
        (_pages, _names) = Tabulate(edges, [.. classes.Select(number => names[number])]);
    }

    /// <summary>The text of the names of a text's characters, one for each.</summary>
    /// <param name="text">The text; a half of a surrogate pair counts as U+FFFD.</param>
    /// <param name="names">Receives the names; at least as long as the text.</param>
    /// <param name="starts">Receives where each character begins, or is left empty where each has one unit.</param>
    /// <returns>The number of characters.</returns>
    public int Map(ReadOnlySpan<char> text, Span<char> names, List<int> starts)
    {
        int simple = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (simple < 0)
            simple = text.Length;
        for (var i = 0; i < simple; i++)
            names[i] = Name(text[i]);
        if (simple == text.Length)
            return simple;

        for (var i = 0; i < simple; i++)
            starts.Add(i);
        int count = simple;
        for (int start = simple; start < text.Length; count++)
        {
            Rune.DecodeFromUtf16(text[start..], out Rune rune, out int length);
            names[count] = Name(rune.Value);
            starts.Add(start);
            start += length;
        }
        return count;
    }

    /// <summary>A .NET expression for one name of a set.</summary>
    public string Write(CodePointSet set)
    {
        List<(int First, int Last)> ranges = [];
        for (var i = 0; i < set.Edges.Length; i += 2)
        {
            int first = IndexOf(set.Edges[i]);
            int end = IndexOf(set.Edges[i + 1]);
            if (first < end && ranges.Count > 0 && ranges[^1].Last == first - 1)
                ranges[^1] = (ranges[^1].First, end - 1);
            else if (first < end)
                ranges.Add((first, end - 1));
        }
        return ranges switch
        {
            [] => "(?!)",
            [(var first, var last)] when first == last => Escape(first),
            _ => $"[{string.Concat(ranges.Select(range => Escape(range.First) + "-" + Escape(range.Last)))}]",
        };
    }

    private static string Escape(int name) => string.Create(CultureInfo.InvariantCulture, $"\\u{name:X4}");

    // The first class whose first member is not before a code point.
    private int IndexOf(int codePoint)
    {
        int index = Array.BinarySearch(_firsts, codePoint);
        return index < 0 ? ~index : index;
    }

    private char Name(int codePoint) => _names[_pages[codePoint >> PageBits] + (codePoint & PageMask)];

    // The class of each range that begins at an edge: every set puts those of its members that had one class into a new one.
    private static int[] Refine(CodePointSet[] sets, int[] edges)
    {
        var classes = new int[edges.Length];
        var count = 1;
        foreach (CodePointSet set in sets)
        {
            Dictionary<int, int> renamed = [];
            for (var i = 0; i < set.Edges.Length; i += 2)
            {
                int first = Array.BinarySearch(edges, set.Edges[i]);
                for (int range = first; range < edges.Length && edges[range] < set.Edges[i + 1]; range++)
                {
                    if (!renamed.TryGetValue(classes[range], out int name))
                        renamed.Add(classes[range], name = count++);
                    classes[range] = name;
                }
            }
        }
        return classes;
    }

    private static (int[] Pages, char[] Names) Tabulate(int[] edges, char[] nameOfRange)
    {
        var pages = new int[PageCount];
        List<char> names = [];
        Dictionary<char, int> uniform = [];
        var range = 0;
        for (var page = 0; page < PageCount; page++)
        {
            int first = page << PageBits;
            while (range + 1 < edges.Length && edges[range + 1] <= first)
                range++;
            char name = nameOfRange[range];
            bool isUniform = range + 1 == edges.Length || edges[range + 1] >= first + PageSize;
            if (isUniform && uniform.TryGetValue(name, out pages[page]))
                continue;
            pages[page] = names.Count;
            if (isUniform)
                uniform.Add(name, names.Count);
            for (var offset = 0; offset < PageSize; offset++)
            {
                while (range + 1 < edges.Length && edges[range + 1] <= first + offset)
                    range++;
                names.Add(nameOfRange[range]);
            }
        }
        return (pages, [.. names]);
    }
}
