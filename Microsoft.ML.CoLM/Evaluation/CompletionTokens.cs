namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A prompt with its response as token ids.</summary>
/// <param name="Ids">Both.</param>
/// <param name="ResponseStart">Where the response begins.</param>
internal readonly record struct CompletionTokens(int[] Ids, int ResponseStart)
{
    /// <summary>Tokens of the response that have one before them.</summary>
    public int ResponseLength => Math.Max(0, Ids.Length - Math.Max(1, ResponseStart));

    /// <summary>At most as many tokens, the last ones.</summary>
    public CompletionTokens Last(int maxLength)
    {
        var cut = Math.Max(0, Ids.Length - maxLength);
        return cut == 0 ? this : new(Ids[cut..], Math.Max(0, ResponseStart - cut));
    }

    /// <summary>
    /// At most as many tokens: the prompt loses its beginning first, but for the beginning-of-text token, then the response
    /// its end.
    /// </summary>
    public CompletionTokens Truncated(int maxLength, int? bosTokenId)
    {
        var excess = Ids.Length - maxLength;
        if (excess <= 0)
            return this;
        var kept = ResponseStart > 0 && Ids[0] == bosTokenId ? 1 : 0;
        var cut = Math.Min(excess, ResponseStart - kept);
        int[] ids = [.. Ids.AsSpan(0, kept), .. Ids.AsSpan(kept + cut)];
        return new(ids.Length <= maxLength ? ids : ids[..maxLength], ResponseStart - cut);
    }
}
