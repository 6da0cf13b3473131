namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// For each token of a session, the length of the sequence that its angles are those of: the prompt's for its tokens, and
/// for a later one the length up to it. Only <see cref="DynamicRopeScaling"/> asks for it.
/// </summary>
internal sealed class RotaryLengths
{
    private readonly List<int>[] _lengths;

    public RotaryLengths(CoLMConfig config, int sequenceCount) => _lengths = config.RopeScaling is DynamicRopeScaling
        ? [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())]
        : [];

    /// <summary>The length that a token's angles are those of.</summary>
    public int Of(int sequence, int position) =>
        _lengths.Length > 0 && position < _lengths[sequence].Count ? _lengths[sequence][position] : position + 1;

    /// <summary>The lengths of neighbouring tokens; null where none matters.</summary>
    public int[]? Of(int sequence, int start, int count) => _lengths.Length == 0
        ? null
        : [.. Enumerable.Range(start, count).Select(position => Of(sequence, position))];

    /// <summary>Tokens are computed next, as part of a sequence; what was known of those from the first of them on is forgotten.</summary>
    public void Set(int sequence, int start, int count, int length)
    {
        if (_lengths.Length == 0)
            return;
        var known = _lengths[sequence];
        if (known.Count > start)
            known.RemoveRange(start, known.Count - start);
        // Tokens that the cache came with were computed before this session.
        while (known.Count < start)
            known.Add(known.Count + 1);
        for (var i = 0; i < count; i++)
            known.Add(length);
    }
}
