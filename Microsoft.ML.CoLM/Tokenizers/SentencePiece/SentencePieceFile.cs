using System.Buffers.Text;
using System.Globalization;
using Google.Protobuf;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What a SentencePiece model file holds of what encoding and decoding need.</summary>
internal sealed class SentencePieceFile
{
    // Field numbers and wire types of sentencepiece_model.proto.
    private const uint PieceTag = (1 << 3) | LengthDelimited;
    private const uint TrainerTag = (2 << 3) | LengthDelimited;
    private const uint NormalizerTag = (3 << 3) | LengthDelimited;
    private const uint PieceTextTag = (1 << 3) | LengthDelimited;
    private const uint PieceScoreTag = (2 << 3) | Fixed32;
    private const uint PieceTypeTag = (3 << 3) | Varint;
    private const uint ModelTypeTag = (3 << 3) | Varint;
    private const uint SpaceAsSuffixTag = (24 << 3) | Varint;
    private const uint ByteFallbackTag = (35 << 3) | Varint;
    private const uint BeginningIdTag = (41 << 3) | Varint;
    private const uint AddDummyPrefixTag = (3 << 3) | Varint;
    private const uint EscapeSpacesTag = (5 << 3) | Varint;
    private const uint Varint = 0;
    private const uint LengthDelimited = 2;
    private const uint Fixed32 = 5;

    private const int Unigram = 1;
    private const int BytePairEncoding = 2;
    private const int Word = 3;
    private const int Character = 4;

    private readonly List<Piece> _pieces = [];
    private int _modelType = Unigram;
    private bool _spaceAsSuffix;
    private bool _byteFallback;
    private bool _escapeSpaces = true;

    private SentencePieceFile()
    {
    }

    /// <summary>The vocabulary's pieces; a piece's index is its token id.</summary>
    public IReadOnlyList<Piece> Pieces => _pieces;

    /// <summary>The beginning-of-text token's id; negative when the model has none.</summary>
    public int BeginningId { get; private set; } = 1;

    /// <summary>Whether a text gets a space in front.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary>Reads a file's bytes.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for what is not supported.</exception>
    public static SentencePieceFile Parse(string file, byte[] content)
    {
        RefuseTiktoken(file, content);
        var model = new SentencePieceFile();
        try
        {
            model.Read(new CodedInputStream(content));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"{file} is not a SentencePiece model, or is damaged: {e.Message}", e);
        }
        if (model._pieces.Count == 0)
            throw new InvalidDataException($"{file} is not a SentencePiece model: it holds no pieces.");
        model.RefuseUnsupported(file);
        model.RefuseFaultyPieces(file);
        return model;
    }

    // Llama 3's original folders have such a file under the same name: a line for each token, its bytes in Base64 and its rank.
    private static void RefuseTiktoken(string file, ReadOnlySpan<byte> content)
    {
        int end = content.IndexOf((byte)'\n');
        int space = content.IndexOf((byte)' ');
        if (end < 0 || space < 1 || space >= end || !Base64.IsValid(content[..space]) ||
            content[(space + 1)..end].TrimEnd((byte)'\r').ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            return;
        }
        throw new InvalidDataException(
            $"{file} is not a SentencePiece model but a tiktoken vocabulary, which does not say how texts are cut: put the " +
            $"{TokenizerFiles.JsonName} of the model's folder in Hugging Face's layout beside it.");
    }

    private void Read(CodedInputStream input)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case PieceTag: ReadPiece(input.ReadBytes().CreateCodedInput()); break;
                case TrainerTag: ReadTrainer(input.ReadBytes().CreateCodedInput()); break;
                case NormalizerTag: ReadNormalizer(input.ReadBytes().CreateCodedInput()); break;
                default: input.SkipLastField(); break;
            }
        }
    }

    private void ReadPiece(CodedInputStream input)
    {
        var text = "";
        var score = 0f;
        var type = PieceType.Normal;
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case PieceTextTag: text = input.ReadString(); break;
                case PieceScoreTag: score = input.ReadFloat(); break;
                case PieceTypeTag: type = (PieceType)input.ReadInt32(); break;
                default: input.SkipLastField(); break;
            }
        }
        _pieces.Add(new(text, score, type));
    }

    private void ReadTrainer(CodedInputStream input)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case ModelTypeTag: _modelType = input.ReadInt32(); break;
                case SpaceAsSuffixTag: _spaceAsSuffix = input.ReadBool(); break;
                case ByteFallbackTag: _byteFallback = input.ReadBool(); break;
                case BeginningIdTag: BeginningId = input.ReadInt32(); break;
                default: input.SkipLastField(); break;
            }
        }
    }

    private void ReadNormalizer(CodedInputStream input)
    {
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case AddDummyPrefixTag: AddDummyPrefix = input.ReadBool(); break;
                case EscapeSpacesTag: _escapeSpaces = input.ReadBool(); break;
                default: input.SkipLastField(); break;
            }
        }
    }

    private void RefuseUnsupported(string file)
    {
        (string Setting, string Expected, string Found)[] settings =
        [
            ("trainer_spec.model_type", NameOfModelType(BytePairEncoding), NameOfModelType(_modelType)),
            ("trainer_spec.byte_fallback", "true", NameOf(_byteFallback)),
            ("trainer_spec.treat_whitespace_as_suffix", "false", NameOf(_spaceAsSuffix)),
            ("normalizer_spec.escape_whitespaces", "true", NameOf(_escapeSpaces)),
        ];
        foreach ((string setting, string expected, string found) in settings)
        {
            if (found != expected)
                throw new InvalidDataException($"{file}: {setting}: expected {expected}, found {found}.");
        }
    }

    private void RefuseFaultyPieces(string file)
    {
        HashSet<string> texts = [];
        HashSet<string> bytes = [];
        for (var value = 0; value <= byte.MaxValue; value++)
            bytes.Add(Piece.ByteText((byte)value));
        for (var id = 0; id < _pieces.Count; id++)
        {
            Piece piece = _pieces[id];
            if (piece.Text.Length == 0 || !texts.Add(piece.Text))
                throw Fault($"pieces[{id}].piece: expected a text that no other piece has, found \"{piece.Text}\"");
            if (!Enum.IsDefined(piece.Type))
                throw Fault($"pieces[{id}].type: expected one from 1 to 4, or 6, found {piece.Type}");
            if (piece.Type == PieceType.Byte && !bytes.Remove(piece.Text))
                throw Fault($"pieces[{id}].piece: expected the name of a byte, found \"{piece.Text}\"");
        }
        if (bytes.Count > 0)
            throw Fault($"pieces: expected one for each byte, found none for {bytes.Min()}");
        if (BeginningId >= _pieces.Count)
            throw Fault($"trainer_spec.bos_id: expected one of the {_pieces.Count} pieces, found {BeginningId}");

        InvalidDataException Fault(string fault) => new($"{file}: {fault}.");
    }

    private static string NameOf(bool value) => value ? "true" : "false";

    private static string NameOfModelType(int type) => type switch
    {
        Unigram => "unigram",
        BytePairEncoding => "bpe",
        Word => "word",
        Character => "char",
        _ => type.ToString(CultureInfo.InvariantCulture),
    };
}
