namespace Microsoft.ML.CoLM.Generation;

/// <summary>Where text generation gets its decoding sessions from, unless it is told otherwise.</summary>
internal static class SessionFactory
{
    /// <summary>Starts a session.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequenceCount">Sequences that it holds.</param>
    /// <param name="capacity">Tokens that each of them may have.</param>
    /// <param name="mayGrow">Whether tokens may be run through few chains first and through more later.</param>
    public static IDecodingSession Create(CoLMModel model, int sequenceCount, int capacity, bool mayGrow) =>
        throw new NotSupportedException("This version of the library has no decoding session.");
}
