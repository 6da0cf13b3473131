using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The tokenizer's files of a model folder, byte for byte, so that they can be stored again as they were given.
/// </summary>
internal sealed class TokenizerFiles
{
    /// <summary>A SentencePiece model; the tokenizer where there is no <c>tokenizer.json</c>.</summary>
    public const string SentencePieceName = "tokenizer.model";

    /// <summary>Hugging Face's tokenizer description; where it is there, it is the tokenizer.</summary>
    public const string JsonName = "tokenizer.json";

    /// <summary>Settings that belong to either.</summary>
    public const string ConfigName = "tokenizer_config.json";

    /// <summary>Tokens with a name in older folders.</summary>
    public const string SpecialTokensName = "special_tokens_map.json";

    /// <summary>Further tokens in older folders.</summary>
    public const string AddedTokensName = "added_tokens.json";

    private readonly string _folder;

    /// <summary>Takes files that <see cref="Files"/> gave.</summary>
    /// <param name="files">The files' names and bytes.</param>
    /// <exception cref="InvalidDataException">They hold no tokenizer, or a file that is none of its files.</exception>
    public TokenizerFiles(IReadOnlyList<KeyValuePair<string, byte[]>> files)
        : this("", files)
    {
        if (files.FirstOrDefault(file => !Names.Contains(file.Key)) is { Key: string other })
            throw new InvalidDataException($"A tokenizer consists of {string.Join(", ", Names)}, found {other}.");
        if (Find(SentencePieceName) is null && Find(JsonName) is null)
            throw new InvalidDataException($"A tokenizer needs {SentencePieceName} or {JsonName}, found neither.");
    }

    private TokenizerFiles(string folder, IReadOnlyList<KeyValuePair<string, byte[]>> files)
    {
        _folder = folder;
        Files = files;
    }

    /// <summary>The names of all files that tokenizers are read from.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [SentencePieceName, JsonName, ConfigName, SpecialTokensName, AddedTokensName];

    /// <summary>The names and bytes of the files.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Files { get; }

    /// <summary>The longest a tokenizer's file may be, in bytes.</summary>
    public static long LimitOf(string name) => name switch
    {
        SentencePieceName => FileLimits.TokenizerModel,
        JsonName => FileLimits.TokenizerJson,
        AddedTokensName => FileLimits.AddedTokens,
        _ => FileLimits.TokenizerConfig,
    };

    /// <summary>Reads a folder's tokenizer files.</summary>
    /// <returns>Null when the folder has no tokenizer.</returns>
    /// <exception cref="InvalidDataException">A file is too large to be a tokenizer's.</exception>
    public static TokenizerFiles? TryRead(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string[] found = [.. Names.Where(name => OrdinaryFile.IsThere(Path.Combine(folder, name)))];
        return found.Contains(SentencePieceName) || found.Contains(JsonName)
            ? new(folder, [.. found.Select(name => KeyValuePair.Create(
                name, BoundedFile.ReadAllBytes(Path.Combine(folder, name), LimitOf(name))))])
            : null;
    }

    /// <summary>Reads a folder's tokenizer files.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file is too large to be a tokenizer's.</exception>
    public static TokenizerFiles Read(string folder)
    {
        GivenFolder.Check(folder);
        return TryRead(folder) ?? throw new FileNotFoundException(
            $"The folder {folder} has no tokenizer: it holds neither {SentencePieceName} nor {JsonName}." +
            GivenFolder.Advice(folder),
            Path.Combine(folder, SentencePieceName));
    }

    /// <summary>Makes the tokenizer that the files describe. It is safe for several threads.</summary>
    /// <param name="parseSpecialTokens">Whether text that spells a special token means that token.</param>
    /// <remarks>
    /// A <c>tokenizer.json</c> comes first, as for Hugging Face's tools, and where it is refused, a <c>tokenizer.model</c> beside it
    /// does not take its place: its texts could have other ids.
    /// </remarks>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public Tokenizer CreateTokenizer(bool parseSpecialTokens = true) => Find(JsonName) is byte[] json
        ? TokenizerJson.Read(Describe(JsonName), json, ReadSettings(), parseSpecialTokens)
        : SentencePieceModel.Read(
            Describe(SentencePieceName), Find(SentencePieceName)!, ReadSettings(), parseSpecialTokens);

    private TokenizerSettings ReadSettings() => TokenizerSettings.Read(name => (Describe(name), Find(name)));

    private byte[]? Find(string name) => Files.FirstOrDefault(file => file.Key == name).Value;

    private string Describe(string name) => Path.Combine(_folder, name);
}
