using System.Buffers;
using System.Buffers.Binary;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads a safetensors file or stream, whose tensors are taken in the order of their bytes.</summary>
/// <remarks>
/// The stream need not be seekable nor know its length. Where the length is known, a file that is too short is refused
/// before the first tensor is read.
/// </remarks>
internal sealed class SafetensorsReader : IDisposable
{
    // Of a matrix that is read some rows at a time.
    private const int PartLength = 4 << 20;

    private const int SkipLength = 64 << 10;

    private readonly Stream _stream;
    private readonly Dictionary<string, SafetensorsEntry> _byName;
    private long _position; // in the data, that is after the header

    /// <summary>Reads and checks the header.</summary>
    /// <param name="stream">
    /// The file from its first byte on; disposed with the reader, or at once if it is refused.
    /// </param>
    /// <param name="source">The file's name, for messages.</param>
    /// <param name="length">The file's length, where it is known otherwise than from the stream.</param>
    /// <param name="metadata">Gets the header's free texts by their names; null where nobody asks for them.</param>
    /// <param name="headerLimit">Bytes that the header may have.</param>
    /// <exception cref="InvalidDataException">The header is not valid, or data is missing.</exception>
    public SafetensorsReader(
        Stream stream, string source, long? length = null, IDictionary<string, string>? metadata = null,
        long headerLimit = FileLimits.SafetensorsHeader)
    {
        _stream = stream;
        Source = source;
        try
        {
            length ??= stream.CanSeek ? stream.Length - stream.Position : null;
            var header = ReadHeader(stream, source, length, headerLimit);
            Entries = SafetensorsHeader.Parse(
                header, source, length - SafetensorsHeader.PrefixLength - header.Length, metadata);
            _byName = Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The file's name, for messages.</summary>
    public string Source { get; }

    /// <summary>Every tensor, in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not what the format asks for.</exception>
    public static SafetensorsReader Open(string path) => new(OrdinaryFile.OpenRead(path), path);

    public SafetensorsEntry? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Fills a contiguous tensor of the entry's shape, converting to its type and device.</summary>
    /// <param name="entry">The tensor in the file.</param>
    /// <param name="target">The tensor to fill.</param>
    /// <param name="mustBeFinite">Whether elements must be finite numbers, as those of weights.</param>
    /// <exception cref="InvalidDataException">
    /// The stream ends within the tensor; or an element is NaN or infinite, or becomes so in the target's type.
    /// </exception>
    public void Read(SafetensorsEntry entry, Tensor target, bool mustBeFinite = true)
    {
        if (!target.shape.AsSpan().SequenceEqual(entry.Shape))
        {
            throw new ArgumentException(
                $"{Source}: tensor {entry.Name} has shape {ErrorText.Shape(entry.Shape)}, not the target's " +
                $"{ErrorText.Shape(target.shape)}.", nameof(target));
        }
        bool areFinite;
        try
        {
            SkipTo(entry.Begin);
            areFinite = TensorBytes.Read(_stream, ScalarOf(entry), target);
            _position = entry.End;
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{Source}: truncated: the data ends before byte {entry.End}, where " +
                $"tensor {ErrorText.Quote(entry.Name)} ends.", e);
        }
        if (mustBeFinite && !areFinite)
        {
            throw new InvalidDataException($"{Source}: tensor {ErrorText.Quote(entry.Name)} of {entry.Type.Name} has " +
                "elements that are NaN or infinite" +
                $"{(target.dtype == entry.Type.Scalar ? "" : $", or become infinite in {target.dtype}")}.");
        }
    }

    /// <summary>Reads a matrix some rows at a time, on the CPU and in the stored type.</summary>
    /// <param name="entry">The matrix in the file, of a type of weights.</param>
    /// <param name="take">Gets rows, which the next ones replace, and the number of the first.</param>
    /// <exception cref="InvalidDataException">The stream ends within the matrix, or an element is NaN or infinite.</exception>
    public void ReadParts(SafetensorsEntry entry, Action<Tensor, long> take)
    {
        var (rows, rowLength) = (entry.Shape[0], (entry.End - entry.Begin) / Math.Max(1, entry.Shape[0]));
        var atOnce = Math.Clamp(PartLength / Math.Max(1, rowLength), 1, Math.Max(1, rows));
        using var part = empty([atOnce, .. entry.Shape[1..]], dtype: ScalarOf(entry));
        for (long first = 0; first < rows; first += atOnce)
        {
            var count = Math.Min(atOnce, rows - first);
            using var some = part.narrow(0, 0, count);
            Read(entry with
            {
                Shape = [count, .. entry.Shape[1..]],
                Begin = entry.Begin + first * rowLength,
                End = entry.Begin + (first + count) * rowLength,
            }, some);
            take(some, first);
        }
    }

    /// <summary>Whether two tensors of different readers have the same shape and the same numbers, block by block.</summary>
    /// <param name="entry">This reader's.</param>
    /// <param name="other">The other reader.</param>
    /// <param name="otherEntry">The other reader's.</param>
    /// <exception cref="InvalidDataException">A stream ends within its tensor.</exception>
    public bool HasSameElements(SafetensorsEntry entry, SafetensorsReader other, SafetensorsEntry otherEntry)
    {
        if (!entry.Shape.AsSpan().SequenceEqual(otherEntry.Shape) || !entry.Type.IsWeight || !otherEntry.Type.IsWeight)
            return false;
        try
        {
            SkipTo(entry.Begin);
            other.SkipTo(otherEntry.Begin);
            (_position, other._position) = (entry.End, otherEntry.End);
            return TensorBytes.AreEqual(
                _stream, ScalarOf(entry), other._stream, other.ScalarOf(otherEntry), (entry.End - entry.Begin) / entry.Type.Size);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{Source} or {other.Source}: truncated: the data ends within a tensor.", e);
        }
    }

    /// <summary>A new tensor on the CPU, in the stored type.</summary>
    /// <exception cref="InvalidDataException">The type is one that torch lacks, or the stream ends early.</exception>
    public Tensor Read(SafetensorsEntry entry)
    {
        var tensor = empty(entry.Shape, dtype: ScalarOf(entry));
        try
        {
            Read(entry, tensor);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>Reads what is left: refuses a stream of unknown length that ends early or goes on.</summary>
    /// <exception cref="InvalidDataException">The stream does not end where the last tensor does.</exception>
    public void CheckEnd()
    {
        var end = Entries.Count == 0 ? 0 : Entries[^1].End;
        try
        {
            SkipTo(end);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException(
                $"{Source}: truncated: the data ends before byte {end}, where the last tensor ends.", e);
        }
        if (_stream.ReadByte() >= 0)
        {
            throw new InvalidDataException(
                $"{Source}: the header describes {end} bytes of tensors, but more follow it.");
        }
    }

    public void Dispose() => _stream.Dispose();

    private static ReadOnlyMemory<byte> ReadHeader(Stream stream, string source, long? streamLength, long limit)
    {
        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixLength];
        if (stream.ReadAtLeast(prefix, prefix.Length, throwOnEndOfStream: false) < prefix.Length)
        {
            throw new InvalidDataException(
                $"{source}: shorter than the {prefix.Length} bytes that every safetensors file begins with.");
        }
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > SafetensorsHeader.MaximumLength)
        {
            throw new InvalidDataException($"{source}: the header says it is {length} bytes long, more than the " +
                $"{SafetensorsHeader.MaximumLength} that the format allows: this is no safetensors file.");
        }
        if ((long)length > streamLength - prefix.Length)
        {
            throw new InvalidDataException($"{source}: the header says it is {length} bytes long, but the file has " +
                $"only {streamLength - prefix.Length} after that number.");
        }

        if (streamLength is not null && (long)length > limit)
            throw TooLong();

        // Grows with what arrives: a stream that claims a long header and holds none costs nothing.
        var header = new ArrayBufferWriter<byte>();
        while (header.WrittenCount < (int)length)
        {
            var missing = (int)length - header.WrittenCount;
            var read = stream.Read(header.GetSpan()[..Math.Min(missing, header.FreeCapacity)]);
            if (read == 0)
            {
                throw new InvalidDataException($"{source}: the header says it is {length} bytes long, but the data " +
                    $"ends after {header.WrittenCount} of them.");
            }
            header.Advance(read);
            if (header.WrittenCount > limit)
                throw TooLong();
        }
        return header.WrittenMemory;

        InvalidDataException TooLong() => new($"{source}: the header says it is {length} bytes long; " +
            $"{limit} are far more than weights need, and no more are read.");
    }

    private ScalarType ScalarOf(SafetensorsEntry entry) => entry.Type.Scalar ?? throw new InvalidDataException(
        $"{Source}: tensor {ErrorText.Quote(entry.Name)} has element type {entry.Type.Name}, which torch lacks.");

    private void SkipTo(long position)
    {
        if (position < _position)
            throw new InvalidOperationException($"{Source}: tensors are read in the order of their bytes.");
        var count = position - _position;
        if (_stream.CanSeek)
        {
            _stream.Seek(count, SeekOrigin.Current);
        }
        else if (count > 0)
        {
            var skipped = new byte[Math.Min(count, SkipLength)];
            for (; count > 0; count -= Math.Min(count, SkipLength))
                _stream.ReadExactly(skipped, 0, (int)Math.Min(count, SkipLength));
        }
        _position = position;
    }
}
