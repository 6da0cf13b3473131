using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Which tokens a sequence has, each once; the newest can be taken back.</summary>
internal sealed class TokenHistory
{
    private readonly Dictionary<int, int> _counts = [];
    private readonly List<int> _distinct = [];

    /// <summary>The sequence's tokens, each once.</summary>
    public ReadOnlySpan<int> Distinct => CollectionsMarshal.AsSpan(_distinct);

    /// <summary>Adds the sequence's next token.</summary>
    public void Add(int token)
    {
        if (++CollectionsMarshal.GetValueRefOrAddDefault(_counts, token, out _) == 1)
            _distinct.Add(token);
    }

    /// <summary>Takes the sequence's last token back.</summary>
    public void Remove(int token)
    {
        // A token that was new when it was added is the newest of the distinct ones when it is taken back.
        if (--CollectionsMarshal.GetValueRefOrNullRef(_counts, token) == 0)
            _distinct.RemoveAt(_distinct.Count - 1);
    }
}
