using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>One worker's memory: keys and values with positions side by side, and a block of queries.</summary>
internal sealed unsafe class AttentionScratch : IDisposable
{
    /// <summary>Floats of the widest vector that is used.</summary>
    public const int Lanes = 8;

    /// <summary>Queries that are worked on together, so that each key that is loaded serves them all.</summary>
    public const int QueriesAtOnce = 4;

    private readonly AttentionShape _shape;
    private readonly float* _memory;

    public AttentionScratch(AttentionShape shape)
    {
        _shape = shape;
        var matrix = (nuint)shape.HeadWidth * (nuint)shape.PaddedLength;
        var rows = QueriesAtOnce * (nuint)shape.PaddedLength;
        var block = QueriesAtOnce * (nuint)shape.HeadWidth;
        var size = (4 * matrix + 2 * rows + 2 * block) * sizeof(float);
        _memory = (float*)NativeMemory.AlignedAlloc(size, (nuint)Vector256<byte>.Count);
        NativeMemory.Clear(_memory, size);
        Keys = _memory;
        Values = Keys + matrix;
        KeyGradients = Values + matrix;
        ValueGradients = KeyGradients + matrix;
        Weights = ValueGradients + matrix;
        ScoreGradients = Weights + rows;
        Query = ScoreGradients + rows;
        OutputGradient = Query + block;
    }

    /// <summary>[d, padded length].</summary>
    public float* Keys { get; }

    /// <summary>[d, padded length].</summary>
    public float* Values { get; }

    /// <summary>[d, padded length].</summary>
    public float* KeyGradients { get; }

    /// <summary>[d, padded length].</summary>
    public float* ValueGradients { get; }

    /// <summary>[queries at once, padded length], scores and then the softmax's numerators.</summary>
    public float* Weights { get; }

    /// <summary>[queries at once, padded length].</summary>
    public float* ScoreGradients { get; }

    /// <summary>[queries at once, d]; rows beyond the last query are zero.</summary>
    public float* Query { get; }

    /// <summary>[queries at once, d]; rows beyond the last query are zero.</summary>
    public float* OutputGradient { get; }

    /// <summary>Turns [length, d] into [d, padded length]; the padding keeps its zeros.</summary>
    public void Transpose(float* from, float* to)
    {
        for (var position = 0; position < _shape.Length; position++)
        {
            for (var c = 0; c < _shape.HeadWidth; c++)
                to[(long)c * _shape.PaddedLength + position] = from[(long)position * _shape.HeadWidth + c];
        }
    }

    /// <summary>Turns [d, padded length] back into [length, d].</summary>
    public void TransposeBack(float* from, float* to)
    {
        for (var position = 0; position < _shape.Length; position++)
        {
            for (var c = 0; c < _shape.HeadWidth; c++)
                to[(long)position * _shape.HeadWidth + c] = from[(long)c * _shape.PaddedLength + position];
        }
    }

    /// <summary>Copies a block of rows [count, d] and clears the rows that are missing from it.</summary>
    public void LoadRows(float* from, int count, float* to)
    {
        var width = _shape.HeadWidth;
        new ReadOnlySpan<float>(from, count * width).CopyTo(new Span<float>(to, count * width));
        new Span<float>(to + count * width, (QueriesAtOnce - count) * width).Clear();
    }

    public void ClearGradients()
    {
        var matrix = (nuint)_shape.HeadWidth * (nuint)_shape.PaddedLength;
        NativeMemory.Clear(KeyGradients, 2 * matrix * sizeof(float));
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
