using System.Globalization;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>An entry of a SentencePiece vocabulary.</summary>
/// <param name="Text">Its characters, with <c>▁</c> for a space.</param>
/// <param name="Score">Of two pieces that could be merged, the one of the higher score is.</param>
/// <param name="Type">What it is for.</param>
internal readonly record struct Piece(string Text, float Score, PieceType Type)
{
    /// <summary>The byte that a piece of type <see cref="PieceType.Byte"/> stands for.</summary>
    public byte ByteValue =>
        byte.Parse(Text.AsSpan("<0x".Length, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>The text of the piece that stands for a byte.</summary>
    public static string ByteText(byte value) => $"<0x{value:X2}>";
}
