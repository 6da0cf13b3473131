using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// The tokenizer's files of a model folder, byte for byte, so that they can be stored again as they were given.
/// </summary>
internal sealed class TokenizerFiles
{
    /// <summary>A SentencePiece model; where it is there, it is the tokenizer.</summary>
    public const string SentencePieceName = "tokenizer.model";

    /// <summary>Hugging Face's tokenizer description; the tokenizer where there is no SentencePiece model.</summary>
    public const string JsonName = "tokenizer.json";

    /// <summary>Settings that belong to either.</summary>
    public const string ConfigName = "tokenizer_config.json";

    // Llama 3's tokenizer.json has 17 MB. What is much larger is no tokenizer but, say, a renamed weight file.
    private const long LargestFile = 512L << 20;

    private static readonly string[] Names = [SentencePieceName, JsonName, ConfigName];

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

    /// <summary>The names and bytes of the files.</summary>
    public IReadOnlyList<KeyValuePair<string, byte[]>> Files { get; }

    /// <summary>Reads a folder's tokenizer files.</summary>
    /// <returns>Null when the folder has no tokenizer.</returns>
    /// <exception cref="InvalidDataException">A file is too large to be a tokenizer's.</exception>
    public static TokenizerFiles? TryRead(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!File.Exists(Path.Combine(folder, SentencePieceName)) && !File.Exists(Path.Combine(folder, JsonName)))
            return null;
        return new(folder, [.. Names
            .Where(name => File.Exists(Path.Combine(folder, name)))
            .Select(name => KeyValuePair.Create(name, ReadFile(Path.Combine(folder, name))))]);
    }

    /// <summary>Reads a folder's tokenizer files.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">The folder has no tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file is too large to be a tokenizer's.</exception>
    public static TokenizerFiles Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no folder {folder}.");
        return TryRead(folder) ?? throw new FileNotFoundException(
            $"The folder {folder} has no tokenizer: it holds neither {SentencePieceName} nor {JsonName}.",
            Path.Combine(folder, SentencePieceName));
    }

    /// <summary>Makes the tokenizer that the files describe. It is safe for several threads.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public Tokenizer CreateTokenizer() => Find(SentencePieceName) is byte[] model
        ? SentencePieceModel.Read(Describe(SentencePieceName), model, Describe(ConfigName), Find(ConfigName))
        : TokenizerJson.Read(Describe(JsonName), Find(JsonName)!);

    private byte[]? Find(string name) => Files.FirstOrDefault(file => file.Key == name).Value;

    private string Describe(string name) => Path.Combine(_folder, name);

    private static byte[] ReadFile(string path)
    {
        long length = new FileInfo(path).Length;
        return length <= LargestFile
            ? File.ReadAllBytes(path)
            : throw new InvalidDataException(
                $"{path}: expected a tokenizer's file of at most {LargestFile} bytes, found {length} bytes.");
    }
}
