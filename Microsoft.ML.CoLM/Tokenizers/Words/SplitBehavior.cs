namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What becomes of the matches that a text is cut at, as Hugging Face's tokenizers name it.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a word.</summary>
    Isolated,

    /// <summary>Each ends the word before it, unless that is a match.</summary>
    MergedWithPrevious,

    /// <summary>Each begins the word behind it, unless that is a match.</summary>
    MergedWithNext,

    /// <summary>Those without anything between are one word.</summary>
    Contiguous,
}
