namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Takes some bytes and then has no space left.</summary>
internal sealed class FullStream(Stream inner, int room) : Stream
{
    private int _room = room;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer[..Math.Min(buffer.Length, _room)]);
        if (buffer.Length > _room)
            throw new IOException("No space left on device.");
        _room -= buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
