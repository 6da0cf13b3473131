using Microsoft.ML.CoLM;
using TorchSharp;

namespace Benchmarks;

/// <summary>What multiplies matrices while something is measured.</summary>
internal static class ChosenProducts
{
    public static MatrixProducts Own { get; } = new(MatrixLibrary.CoLM, MatrixLibrary.CoLM);

    public static MatrixProducts ByLibtorch { get; } = new(MatrixLibrary.LibTorch, MatrixLibrary.LibTorch);

    /// <summary>What multiplies a type on this machine.</summary>
    public static MatrixLibrary In(torch.ScalarType type) =>
        type == torch.ScalarType.BFloat16 ? MatrixProducts.Current.BFloat16 : MatrixProducts.Current.Float32;

    public static void WithLibtorch(Action run)
    {
        using var use = MatrixProducts.Use(ByLibtorch);
        run();
    }
}
