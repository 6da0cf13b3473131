using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// A corpus as one stream of token ids in a memory-mapped temporary file, so that it may be larger than memory.
/// </summary>
/// <remarks>Documents stand one after the other, each behind its beginning-of-text token.</remarks>
internal sealed class TokenSpool : IDisposable
{
    private const int FingerprintChunk = 1 << 16;

    private readonly FileStream _file;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;

    private TokenSpool(FileStream file)
    {
        _file = file;
        TokenCount = file.Length / sizeof(int);
        _map = MemoryMappedFile.CreateFromFile(
            file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    /// <summary>Tokens of the whole corpus.</summary>
    public long TokenCount { get; }

    /// <summary>Writes documents to a temporary file that nobody else can read and that vanishes with the spool.</summary>
    /// <param name="documents">Token ids of each document; those without any token of text are the caller's to drop.</param>
    /// <exception cref="ArgumentException">There is no document.</exception>
    public static TokenSpool Write(IEnumerable<IReadOnlyList<int>> documents)
    {
        var file = TemporaryFile.Create(Path.GetTempPath(), "tokens");
        try
        {
            foreach (var document in documents)
                file.Write(MemoryMarshal.AsBytes([.. document]));
            file.Flush();
            if (file.Length == 0)
                throw new ArgumentException("There is no text to train on.", nameof(documents));
            return new TokenSpool(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Copies tokens from a position on.</summary>
    public void Read(long position, Span<long> tokens)
    {
        for (var i = 0; i < tokens.Length; i++)
            tokens[i] = _view.ReadInt32((position + i) * sizeof(int));
    }

    /// <summary>Adds all tokens.</summary>
    public void AddTo(Fingerprint fingerprint)
    {
        var tokens = new int[FingerprintChunk];
        for (long position = 0; position < TokenCount; position += tokens.Length)
        {
            var wanted = (int)Math.Min(tokens.Length, TokenCount - position);
            var count = _view.ReadArray(position * sizeof(int), tokens, 0, wanted);
            fingerprint.Add<int>(tokens.AsSpan(0, count));
        }
    }

    public void Dispose()
    {
        _view.Dispose();
        _map.Dispose();
        _file.Dispose();
    }
}
