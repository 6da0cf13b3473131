using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Random token ids.</summary>
internal static class TestIds
{
    /// <summary>[batch, length] of a model's vocabulary.</summary>
    public static Tensor Of(CoLMConfig config, int batch, int length, int seed = 1)
    {
        using var generator = new Generator((ulong)seed);
        return randint(0, config.VocabularySize, [batch, length], dtype: int64, generator: generator);
    }
}
