namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Has a library multiply matrices, whatever suits the processor.</summary>
internal static class Multiplied
{
    /// <summary>Until the scope is disposed; <see cref="MatrixLibrary.Widened"/> has float32 multiplied by libtorch.</summary>
    public static IDisposable By(MatrixLibrary library) =>
        MatrixProducts.Use(new(library == MatrixLibrary.CoLM ? library : MatrixLibrary.LibTorch, library));
}
