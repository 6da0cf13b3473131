namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The end of the steps: what arrives is the text.</summary>
/// <param name="write">Takes it, piece by piece.</param>
internal sealed class TextSink(Action<ReadOnlySpan<char>> write) : TokenSink
{
    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<char> token) => write(token);

    /// <inheritdoc/>
    public override void Complete()
    {
    }
}
