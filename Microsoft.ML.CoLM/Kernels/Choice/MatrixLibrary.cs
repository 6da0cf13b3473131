namespace Microsoft.ML.CoLM;

/// <summary>What multiplies matrices on the CPU.</summary>
public enum MatrixLibrary
{
    /// <summary>libtorch, whose products are MKL's in float32 and oneDNN's in bfloat16.</summary>
    LibTorch,

    /// <summary>This library's own kernels, which multiply in float32 whatever the type is, and round a sum once.</summary>
    CoLM,

    /// <summary>Of bfloat16 alone: as float32 is multiplied, after widening; sums are rounded once.</summary>
    Widened,
}
