namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Takes the tokens of a text one after another, for a step of making text of them.</summary>
internal abstract class TokenSink
{
    /// <summary>Takes a token, as the step before left it.</summary>
    public abstract void Append(ReadOnlySpan<char> token);

    /// <summary>Passes on what waits for further tokens, as if there were none. There may be further ones all the same.</summary>
    public abstract void Complete();
}
