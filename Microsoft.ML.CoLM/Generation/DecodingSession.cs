using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Makes the session that suits a model's device and type.</summary>
internal static class DecodingSession
{
    /// <param name="model">The model.</param>
    /// <param name="cache">Its cache, which stays the caller's.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public static IDecodingSession Create(CoLMModel model, KvCache cache, bool mayGrow) => cache switch
    {
        { IsBlocked: false } => new ModuleSession(model, cache, mayGrow),
        { DataType: ScalarType.Float32 } => new CpuSession<Float32Element>(model, cache, mayGrow),
        _ => new CpuSession<BFloat16Element>(model, cache, mayGrow),
    };
}
