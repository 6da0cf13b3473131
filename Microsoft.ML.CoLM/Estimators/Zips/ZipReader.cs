using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// A component's part of an ML.NET zip while it is read: what <see cref="ZipWriter"/> wrote. Nothing of it is used
/// before its digest was compared, but weights, which fill a model that is thrown away where theirs is wrong.
/// </summary>
internal sealed class ZipReader
{
    /// <summary>The first version that has digests.</summary>
    public const uint FirstSealed = 0x00010003;

    // Settings are a few hundred bytes, and a name and a digest for each file.
    private const long LongestSettings = 1 << 20;

    // What deflate makes of zeros: whoever claims more lies.
    private const long LargestRatio = 1032;

    private readonly ModelLoadContext _context;
    private readonly Dictionary<string, byte[]> _digests = new(StringComparer.Ordinal);
    private readonly long? _settingsEnd;

    /// <summary>Checks the settings; a zip of an earlier version has nothing to check them by, and the log says so.</summary>
    /// <param name="host">Whose component is loaded.</param>
    /// <param name="context">The zip, before the settings.</param>
    /// <exception cref="InvalidDataException">The settings are damaged.</exception>
    public ZipReader(IHost host, ModelLoadContext context)
    {
        _context = context;
        if (!context.InRepository)
            throw new InvalidDataException("A model with weights is read from a zip, not from a single stream.");
        if (context.Header.ModelVerWritten < FirstSealed)
        {
            using var channel = host.Start("Loading");
            channel.Warning($"'{Path(ModelLoadContext.ModelStreamName)}' was written by an earlier version and has no digests: " +
                "nothing vouches for the zip's weights and settings. Save the model again to have them checked.");
            return;
        }
        _settingsEnd = ReadDigests();
    }

    /// <summary>Reads settings.</summary>
    public BinaryReader Reader => _context.Reader;

    public string LoadNonEmptyString() => _context.LoadNonEmptyString();

    public string? LoadStringOrNull() => _context.LoadStringOrNull();

    /// <summary>A file beside the settings, read whole.</summary>
    /// <param name="name">The file.</param>
    /// <param name="limit">Bytes that it may have.</param>
    /// <exception cref="InvalidDataException">It is missing, damaged or longer.</exception>
    public byte[] ReadAll(string name, long limit) =>
        Read(name, (stream, length) => length <= limit
            ? BoundedFile.ReadAllBytes(stream, limit, Path(name))
            : throw new InvalidDataException(FormattableString.Invariant(
                $"'{Path(name)}' in the model's zip: expected at most {limit} bytes, found {length}.")));

    /// <summary>Reads a file beside the settings, to its end, and checks its digest.</summary>
    /// <param name="name">The file.</param>
    /// <param name="read">Gets the file, which cannot seek, and its length.</param>
    /// <exception cref="InvalidDataException">It is missing or damaged, or goes on where it should end.</exception>
    public T Read<T>(string name, Func<Stream, long, T> read) => Open(name, (stream, length) =>
    {
        using var hashed = new HashedStream(stream);
        var result = read(hashed, length);
        try
        {
            if (stream.ReadByte() >= 0)
                throw new InvalidDataException($"'{Path(name)}' goes on where it should end.");
            if (_settingsEnd is not null)
                CheckDigest(name, hashed.Hash());
            return result;
        }
        catch
        {
            (result as IDisposable)?.Dispose();
            throw;
        }
    });

    /// <summary>Looks into a file that is read later.</summary>
    /// <param name="name">The file.</param>
    /// <param name="look">Gets the file, which cannot seek, and its length.</param>
    /// <exception cref="InvalidDataException">It is missing or damaged.</exception>
    public void Look(string name, Action<Stream, long> look) => Open(name, (stream, length) =>
    {
        look(stream, length);
        return true;
    });

    /// <summary>Reads what is checked where users set it, too: there a wrong argument, here a damaged zip.</summary>
    /// <exception cref="InvalidDataException">What is read is wrong, or ends too early.</exception>
    public T Checked<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is ArgumentException or EndOfStreamException)
        {
            throw new InvalidDataException($"The settings in '{Path(ModelLoadContext.ModelStreamName)}' are wrong: {e.Message}", e);
        }
    }

    /// <summary>Ends the settings: nothing may be left of them.</summary>
    /// <exception cref="InvalidDataException">There is.</exception>
    public void CheckEnd()
    {
        // ML.NET itself looks where a zip without digests ends.
        if (_settingsEnd is not { } end)
            return;
        if (Reader.BaseStream.Position != end)
            throw Damaged();
        Reader.BaseStream.Position = _context.FpMin + _context.Header.FpModel + _context.Header.CbModel;
    }

    /// <summary>Refuses an entry that claims more than it can hold.</summary>
    /// <exception cref="InvalidDataException">It does.</exception>
    public static void CheckLength(ZipArchiveEntry entry, string path)
    {
        if (entry.Length < 0 || entry.Length / LargestRatio > entry.CompressedLength + 1)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"'{path}' cannot be {entry.Length} bytes that were compressed to {entry.CompressedLength}."));
        }
    }

    private long ReadDigests()
    {
        var stream = Reader.BaseStream;
        var begin = stream.Position;
        var length = _context.Header.CbModel;
        const int TailLength = sizeof(long) + SHA256.HashSizeInBytes;
        if (length is < TailLength or > LongestSettings)
            throw Damaged();
        var settings = new byte[length];
        stream.ReadExactly(settings);
        stream.Position = begin;

        var seal = ZipSeal.Of(_context.Header, _context.LoaderAssemblyName, _context.Strings ?? [],
            settings.AsSpan(..^SHA256.HashSizeInBytes));
        if (!settings.AsSpan(^SHA256.HashSizeInBytes..).SequenceEqual(seal))
            throw Damaged();
        var listBegin = BitConverter.ToInt64(settings.AsSpan(^TailLength..));
        if (listBegin < 0 || listBegin > length - TailLength)
            throw Damaged();
        using var list = new BinaryReader(new MemoryStream(settings, (int)listBegin, (int)(length - TailLength - listBegin)));
        try
        {
            for (var left = list.ReadInt32(); left > 0; left--)
                _digests[list.ReadString()] = list.ReadBytes(SHA256.HashSizeInBytes);
        }
        catch (Exception e) when (e is EndOfStreamException or FormatException)
        {
            throw Damaged();
        }
        return begin + listBegin;
    }

    private T Open<T>(string name, Func<Stream, long, T> action)
    {
        var entry = ModelArchive.Find(_context, name)
            ?? throw new InvalidDataException($"The model's zip has no entry '{Path(name)}'.");
        CheckLength(entry, Path(name));
        try
        {
            using var stream = entry.Open();
            return action(stream, entry.Length);
        }
        catch (InvalidDataException e) when (!e.Message.Contains(name, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"'{Path(name)}' in the model's zip is damaged: {e.Message}", e);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"'{Path(name)}' in the model's zip ends too early.", e);
        }
    }

    private void CheckDigest(string name, byte[] found)
    {
        if (!_digests.TryGetValue(name, out var expected))
            throw new InvalidDataException($"The model's zip has no digest of its entry '{Path(name)}'.");
        if (!found.AsSpan().SequenceEqual(expected))
        {
            throw new InvalidDataException($"'{Path(name)}' in the model's zip is damaged: its SHA-256 is " +
                $"{Convert.ToHexStringLower(found)}, not {Convert.ToHexStringLower(expected)}.");
        }
    }

    private string Path(string name) => System.IO.Path.Combine(_context.Directory ?? "", name).Replace('\\', '/');

    private InvalidDataException Damaged() => new($"The settings in '{Path(ModelLoadContext.ModelStreamName)}' are damaged.");
}
