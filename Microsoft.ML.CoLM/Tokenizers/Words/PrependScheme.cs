namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Which words get the character for spaces in front, as Hugging Face's tokenizers name it.</summary>
internal enum PrependScheme
{
    /// <summary>Each.</summary>
    Always,

    /// <summary>The one that begins its document.</summary>
    First,

    /// <summary>None.</summary>
    Never,
}
