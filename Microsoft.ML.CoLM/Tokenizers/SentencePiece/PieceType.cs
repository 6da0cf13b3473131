namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What a SentencePiece piece is for, numbered as in its files.</summary>
internal enum PieceType
{
    /// <summary>Part of a text.</summary>
    Normal = 1,

    /// <summary>Stands for what no other piece covers.</summary>
    Unknown = 2,

    /// <summary>Marks something rather than being text.</summary>
    Control = 3,

    /// <summary>Part of a text that is never cut or joined.</summary>
    UserDefined = 4,

    /// <summary>One byte of a character that has no piece.</summary>
    Byte = 6,
}
