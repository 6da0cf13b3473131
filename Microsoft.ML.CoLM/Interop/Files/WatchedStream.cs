namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Remembers the first failure to write, which ML.NET passes over at the end of an archive, and ends when it is cancelled.
/// </summary>
/// <param name="inner">Stays its owner's.</param>
/// <param name="cancellationToken">Looked at before every read and write.</param>
internal sealed class WatchedStream(Stream inner, CancellationToken cancellationToken = default) : Stream
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
        cancellationToken.ThrowIfCancellationRequested();
        if (_failure is { } failure)
            throw new IOException(failure.Message, failure);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return inner.Read(buffer);
    }

    public override void Write(byte[] buffer, int offset, int count) => Watch(() =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        inner.Write(buffer, offset, count);
    });

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
