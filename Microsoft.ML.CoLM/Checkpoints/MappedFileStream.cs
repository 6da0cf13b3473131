using System.IO.MemoryMappedFiles;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads a file through a memory-mapped window that moves along with the position.</summary>
/// <remarks>
/// Mapped pages count as memory of the process. One window at a time bounds them, where mapping a whole file of
/// weights would need twice the weights' memory while they are copied into the model.
/// <para>
/// Touching mapped pages behind the end of a file kills the process, so the length is asked for before each read: a file
/// that another process cuts short meanwhile ends where it was cut. What is left is a cut in the middle of one read, of
/// at most a window, by somebody who changes the file in place; saving never does.
/// </para>
/// </remarks>
internal sealed class MappedFileStream : Stream
{
    // A multiple of the allocation granularity of every system, so that windows begin on a page.
    private const long WindowLength = 4 << 20;

    private readonly FileStream _file;
    private readonly MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _window;
    private long _windowStart;
    private long _position;

    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public MappedFileStream(string path)
    {
        _file = new FileStream(
            path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        try
        {
            // Of the open file: the length of a path is that of the link where the path is one.
            Length = _file.Length;
            if (Length > 0) // an empty file cannot be mapped
                _map = MemoryMappedFile.CreateFromFile(_file, mapName: null, capacity: 0, MemoryMappedFileAccess.Read,
                    HandleInheritability.None, leaveOpen: true);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length { get; }

    public override long Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = value;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _position >= Length)
            return 0;
        var left = Math.Min(Length, RandomAccess.GetLength(_file.SafeFileHandle)) - _position;
        if (left <= 0)
            return 0;
        var start = _position - (_position % WindowLength);
        var length = Math.Min(WindowLength, Length - start);
        if (_window is null || _windowStart != start)
        {
            _window?.Dispose();
            _window = _map!.CreateViewAccessor(start, length, MemoryMappedFileAccess.Read);
            _windowStart = start;
        }
        var offset = _position - start;
        var count = (int)Math.Min(Math.Min(buffer.Length, left), length - offset);
        _window.SafeMemoryMappedViewHandle.ReadSpan((ulong)(_window.PointerOffset + offset), buffer[..count]);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _window?.Dispose();
            _map?.Dispose();
            _file.Dispose();
        }
        base.Dispose(disposing);
    }
}
