using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>A float32 matrix for each chain that has one.</summary>
internal sealed class ChainWeights(IEnumerable<long[]?> shapes, Device device)
    : ChainModule(nameof(ChainWeights), shapes, device, ScalarType.Float32, keepsType: true);
