using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Makes the session that suits a model's device and type.</summary>
internal static class DecodingSession
{
    /// <summary>A session with a cache of its own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequenceCount">Sequences that it holds.</param>
    /// <param name="capacity">Tokens that each of them may have; their memory is taken when they are there.</param>
    /// <param name="mayGrow">Whether tokens may be run through few chains first and through more later.</param>
    public static IDecodingSession Create(CoLMModel model, int sequenceCount, int capacity, bool mayGrow = false)
    {
        var cache = KvCache.Growing(model, capacity, sequenceCount);
        try
        {
            return Create(model, cache, ownsCache: true, mayGrow);
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>A session that goes on from a cache.</summary>
    /// <param name="model">The model.</param>
    /// <param name="cache">A cache of the model's architecture.</param>
    /// <param name="ownsCache">Whether the cache is disposed with the session.</param>
    /// <param name="mayGrow">Whether tokens may be run through few chains first and through more later.</param>
    public static IDecodingSession Create(CoLMModel model, KvCache cache, bool ownsCache, bool mayGrow)
    {
        return cache switch
        {
            { IsBlocked: false } => new ModuleSession(model, cache, ownsCache, mayGrow),
            { DataType: ScalarType.Float32 } => new CpuSession<Float32Element>(model, cache, ownsCache, mayGrow),
            _ => new CpuSession<BFloat16Element>(model, cache, ownsCache, mayGrow),
        };
    }
}
