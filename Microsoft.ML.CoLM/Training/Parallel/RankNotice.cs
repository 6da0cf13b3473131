using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Microsoft.ML.CoLM.Training;

/// <summary>What a rank tells the others outside of the calls that all make.</summary>
/// <param name="Kind">What it means.</param>
/// <param name="Rank">Whose it is.</param>
/// <param name="Text">The reason of a failure, or what the rank waits for.</param>
internal readonly record struct RankNotice(RankNotice.Meaning Kind, int Rank, string Text)
{
    /// <summary>Bytes of a notice; a longer text is cut.</summary>
    public const int Length = 1024;

    private const int TextStart = 3 * sizeof(int);

    internal enum Meaning
    {
        /// <summary>The rank fails: nobody is to wait for it.</summary>
        Failed = 1,

        /// <summary>The rank is disposed.</summary>
        Left = 2,

        /// <summary>The rank waits in a call, in answer to one whose time is up, or as that one.</summary>
        Waiting = 3,
    }

    public void Write(Span<byte> bytes)
    {
        bytes.Clear();
        var utf8 = bytes[TextStart..Length];
        _ = Utf8.FromUtf16(Text, utf8, out _, out var written);
        BinaryPrimitives.WriteInt32LittleEndian(bytes, (int)Kind);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[sizeof(int)..], Rank);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[(2 * sizeof(int))..], written);
    }

    public static RankNotice Read(ReadOnlySpan<byte> bytes)
    {
        var length = Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(bytes[(2 * sizeof(int))..]), 0, Length - TextStart);
        return new((Meaning)BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes[sizeof(int)..]),
            Encoding.UTF8.GetString(bytes.Slice(TextStart, length)));
    }
}
