namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The tokens that encoding puts around a text.</summary>
/// <param name="Before">Their ids before the text.</param>
/// <param name="Behind">Their ids behind it.</param>
internal sealed record TextTemplate(IReadOnlyList<int> Before, IReadOnlyList<int> Behind)
{
    /// <summary>The text alone.</summary>
    public static TextTemplate Empty { get; } = new([], []);
}
