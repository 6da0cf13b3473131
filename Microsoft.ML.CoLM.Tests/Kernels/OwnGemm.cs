using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Until it is disposed, matrices are multiplied by the library, or by libtorch, whatever suits the processor.</summary>
internal sealed class OwnGemm : IDisposable
{
    private readonly bool _inFloat32 = BatchedGemm.ArePreferred;
    private readonly bool _inBFloat16 = BatchedGemm.ArePreferredInBFloat16;

    /// <param name="arePreferred">Whether the library multiplies.</param>
    public OwnGemm(bool arePreferred) => Set(arePreferred, arePreferred);

    public void Dispose() => Set(_inFloat32, _inBFloat16);

    private static void Set(bool inFloat32, bool inBFloat16) =>
        (BatchedGemm.ArePreferred, BatchedGemm.ArePreferredInBFloat16) = (inFloat32, inBFloat16);
}
