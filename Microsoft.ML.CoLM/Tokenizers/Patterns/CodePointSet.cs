using System.Globalization;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A set of Unicode's code points, halves of surrogate pairs included.</summary>
internal sealed class CodePointSet
{
    private const int CodePointCount = 0x110000;

    /// <summary>The set of none.</summary>
    public static readonly CodePointSet Empty = new([]);

    /// <summary>The set of all.</summary>
    public static readonly CodePointSet All = new([0, CodePointCount]);

    // Where membership changes, ascending: ranges without overlap or touch, each with its first and the one after its last.
    private readonly int[] _edges;

    private CodePointSet(int[] edges) => _edges = edges;

    /// <summary>The first of each range and the one after its last, ascending.</summary>
    public ReadOnlySpan<int> Edges => _edges;

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => _edges.Length == 0;

    /// <summary>A set of one.</summary>
    public static CodePointSet Of(int codePoint) => Range(codePoint, codePoint);

    /// <summary>The set of the characters of a text of the basic plane.</summary>
    public static CodePointSet Of(string characters) => Union(characters.Select(character => Of(character)));

    /// <summary>The code points from one to another.</summary>
    public static CodePointSet Range(int first, int last) => new([first, last + 1]);

    /// <summary>The code points of some general categories.</summary>
    public static CodePointSet OfCategories(Func<UnicodeCategory, bool> isIn)
    {
        List<int> edges = [];
        var inside = false;
        for (var codePoint = 0; codePoint < CodePointCount; codePoint++)
        {
            if (isIn(CharUnicodeInfo.GetUnicodeCategory(codePoint)) == inside)
                continue;
            edges.Add(codePoint);
            inside = !inside;
        }
        return Close(edges);
    }

    /// <summary>The code points of any of some sets.</summary>
    public static CodePointSet Union(IEnumerable<CodePointSet> sets)
    {
        List<(int First, int End)> ranges = [];
        foreach (CodePointSet set in sets)
        {
            for (var i = 0; i < set._edges.Length; i += 2)
                ranges.Add((set._edges[i], set._edges[i + 1]));
        }
        ranges.Sort();
        List<int> edges = [];
        foreach ((int first, int end) in ranges)
        {
            if (edges.Count == 0 || first > edges[^1])
                edges.AddRange([first, end]);
            else
                edges[^1] = Math.Max(edges[^1], end);
        }
        return new([.. edges]);
    }

    /// <summary>The code points of this set or another.</summary>
    public CodePointSet Or(CodePointSet other) => Union([this, other]);

    /// <summary>The code points of this set and another.</summary>
    public CodePointSet And(CodePointSet other) => Not().Or(other.Not()).Not();

    /// <summary>The code points that are not in this set.</summary>
    public CodePointSet Not()
    {
        IEnumerable<int> edges = _edges is [0, ..] ? _edges.Skip(1) : _edges.Prepend(0);
        return Close([.. edges]);
    }

    /// <summary>Whether a code point is in this set.</summary>
    public bool Contains(int codePoint)
    {
        int index = Array.BinarySearch(_edges, codePoint);
        return index >= 0 ? index % 2 == 0 : ~index % 2 == 1;
    }

    // An odd number of edges: the last range goes on to the end, or would begin there.
    private static CodePointSet Close(List<int> edges)
    {
        if (edges.Count % 2 == 1)
        {
            if (edges[^1] == CodePointCount)
                edges.RemoveAt(edges.Count - 1);
            else
                edges.Add(CodePointCount);
        }
        return new([.. edges]);
    }
}
