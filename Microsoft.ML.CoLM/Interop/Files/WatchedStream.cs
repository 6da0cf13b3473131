namespace Microsoft.ML.CoLM.Interop;

/// <summary>Remembers the first failure to write, which ML.NET passes over at the end of an archive.</summary>
/// <param name="inner">Stays its owner's.</param>
internal sealed class WatchedStream(Stream inner) : Stream
{
    private Exception? _failure;

    public override bool CanRead => inner.CanRead;

    public override bool CanSeek => inner.CanSeek;

    public override bool CanWrite => inner.CanWrite;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => Watch(() => inner.Position = value);
    }

    /// <summary>Throws what was remembered.</summary>
    public void CheckWritten()
    {
        if (_failure is { } failure)
            throw new IOException(failure.Message, failure);
    }

    public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

    public override void Write(byte[] buffer, int offset, int count) => Watch(() => inner.Write(buffer, offset, count));

    public override long Seek(long offset, SeekOrigin origin)
    {
        Watch(() => inner.Seek(offset, origin));
        return inner.Position;
    }

    public override void Flush() => Watch(inner.Flush);

    public override void SetLength(long value) => Watch(() => inner.SetLength(value));

    private void Watch(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            _failure ??= e;
            throw;
        }
    }
}
