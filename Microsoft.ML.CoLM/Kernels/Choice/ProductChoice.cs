using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Chooses what multiplies matrices in this process: see <see cref="MatrixProducts"/>.</summary>
internal static class ProductChoice
{
    // What the processor's model suggests is left only for what is clearly faster: a busy machine is not to decide.
    // (`products --choices 100` beside work on both cores of an EPYC chose alike a hundred times.)
    private const double ClearlyFaster = 1.15;

    public static MatrixProducts Make()
    {
        if (Environment.GetEnvironmentVariable(MatrixProducts.Variable) is { Length: > 0 } text)
        {
            return MatrixProducts.TryParse(text) ?? throw new InvalidOperationException($"The environment variable {MatrixProducts.Variable} must be " +
                $"libtorch, colm or widened, or name both types, as float32=colm,bfloat16=libtorch does, found '{text}'.");
        }
        return Make(ProductFile.OfUser());
    }

    /// <summary>What the file holds, or else what is measured and kept there; what the processor suggests where that cannot be.</summary>
    /// <param name="file">The file; null for none.</param>
    public static MatrixProducts Make(ProductFile? file) => file?.Read() ?? file?.Keep(Measure) ?? Suggested;

    /// <summary>
    /// What is the fastest as far as the processor's model tells. On processors that are not Intel's, MKL's float32 products use
    /// vectors of 256 bits at most: where there are none of 512, either library is as fast at a large product, and this one at many
    /// small ones, since MKL's threads share each and wait for each other after it. libtorch has no vector kernels for bfloat16 without
    /// AVX-512, and on Intel's processors without matrix units they take longer than float32's.
    /// </summary>
    public static MatrixProducts Suggested { get; } = new(
        Processor.IsX86 && !Processor.IsIntel && VectorWidth.Floats >= Floats8.Count ? MatrixLibrary.CoLM : MatrixLibrary.LibTorch,
        VectorWidth.Floats < Floats16.Count ? MatrixLibrary.CoLM
            : Processor.IsIntel && !Processor.HasMatrixUnits ? MatrixLibrary.Widened : MatrixLibrary.LibTorch);

    /// <summary>The fastest candidate, but an earlier one unless it is clearly slower.</summary>
    /// <param name="times">What each takes.</param>
    /// <returns>Its number.</returns>
    public static int Fastest(double[] times)
    {
        var fastest = 0;
        for (var i = 1; i < times.Length; i++)
        {
            if (times[fastest] > ClearlyFaster * times[i])
                fastest = i;
        }
        return fastest;
    }

    /// <summary>Has the candidates take turns.</summary>
    public static MatrixProducts Measure()
    {
        TorchLibrary.EnsureLoaded();
        var float32 = Fastest(ScalarType.Float32,
            [new(Suggested.Float32, Suggested.BFloat16), new(MatrixLibrary.LibTorch, Suggested.BFloat16), new(MatrixLibrary.CoLM, Suggested.BFloat16)]).Float32;
        MatrixLibrary[] libraries = [Suggested.BFloat16, .. Enum.GetValues<MatrixLibrary>()];
        return Fastest(ScalarType.BFloat16, libraries.Select(library => new MatrixProducts(float32, library)));
    }

    private static MatrixProducts Fastest(ScalarType type, IEnumerable<MatrixProducts> candidates)
    {
        MatrixProducts[] different = [.. candidates.Distinct()];
        return different[Fastest(ProductRace.Run(type, different))];
    }
}
