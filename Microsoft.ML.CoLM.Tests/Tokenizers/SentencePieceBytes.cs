using Google.Protobuf;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>
/// Writes SentencePiece model files: unknown, beginning and end, the bytes, then pieces of falling score.
/// </summary>
internal sealed class SentencePieceBytes
{
    /// <summary>The id of the first piece of one's own.</summary>
    public const int FirstPiece = 259;

    public const int ByteZero = 3;

    public List<(string Text, float Score, int Type)> Pieces { get; } =
    [
        ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3),
        .. Enumerable.Range(0, 256).Select(value => (Piece.ByteText((byte)value), 0f, 6)),
    ];

    public int ModelType { get; set; } = 2;

    public bool ByteFallback { get; set; } = true;

    public bool SpaceAsSuffix { get; set; }

    public int? BeginningId { get; set; }

    public string Normalizer { get; set; } = "identity";

    public byte[] CharactersMap { get; set; } = [];

    public bool AddDummyPrefix { get; set; } = true;

    public bool? RemoveExtraSpaces { get; set; } = false;

    public bool EscapeSpaces { get; set; } = true;

    /// <summary>Adds pieces, each of a lower score than the one before.</summary>
    public SentencePieceBytes Add(params string[] texts)
    {
        foreach (string text in texts)
            Pieces.Add((text, FirstPiece - Pieces.Count - 1, 1));
        return this;
    }

    public TokenizerFiles ToFiles() => TestTokenizers.Files(TokenizerFiles.SentencePieceName, ToArray());

    public byte[] ToArray() => Write(output =>
    {
        foreach ((string text, float score, int type) in Pieces)
        {
            WriteMessage(output, 1, piece =>
            {
                piece.WriteTag(1, WireFormat.WireType.LengthDelimited);
                piece.WriteString(text);
                piece.WriteTag(2, WireFormat.WireType.Fixed32);
                piece.WriteFloat(score);
                WriteNumber(piece, 3, type);
            });
        }
        WriteMessage(output, 2, WriteTrainer);
        WriteMessage(output, 3, WriteNormalizer);
    });

    private void WriteTrainer(CodedOutputStream trainer)
    {
        WriteNumber(trainer, 3, ModelType);
        WriteNumber(trainer, 24, SpaceAsSuffix ? 1 : 0);
        WriteNumber(trainer, 35, ByteFallback ? 1 : 0);
        if (BeginningId is int id)
            WriteNumber(trainer, 41, id);
    }

    private void WriteNormalizer(CodedOutputStream normalizer)
    {
        normalizer.WriteTag(1, WireFormat.WireType.LengthDelimited);
        normalizer.WriteString(Normalizer);
        normalizer.WriteTag(2, WireFormat.WireType.LengthDelimited);
        normalizer.WriteBytes(ByteString.CopyFrom(CharactersMap));
        WriteNumber(normalizer, 3, AddDummyPrefix ? 1 : 0);
        if (RemoveExtraSpaces is bool remove)
            WriteNumber(normalizer, 4, remove ? 1 : 0);
        WriteNumber(normalizer, 5, EscapeSpaces ? 1 : 0);
    }

    private static void WriteNumber(CodedOutputStream output, int field, int value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt32(value);
    }

    private static void WriteMessage(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(Write(write)));
    }

    private static byte[] Write(Action<CodedOutputStream> write)
    {
        using var stream = new MemoryStream();
        using (var output = new CodedOutputStream(stream, leaveOpen: true))
            write(output);
        return stream.ToArray();
    }
}
