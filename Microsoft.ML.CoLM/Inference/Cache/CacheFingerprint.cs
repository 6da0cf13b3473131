using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// A hash of all that a model's keys and values depend on: models with the same one can use each other's cache.
/// </summary>
/// <remarks>
/// With KV sharing that is the first chain below its head, so a model keeps its fingerprint when it is grown, and when
/// its later chains are trained.
/// </remarks>
internal static class CacheFingerprint
{
    public static byte[] Of(CoLMModel model)
    {
        using var use = model.EnterWithoutAdapters(out var weights);
        var config = model.Config;
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write))
        {
            stream.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{model.DataType} {config.Layout.Take(config.KeyValueChains)} {config.HeadWidth} " +
                $"{config.KeyValueHeads(0)} {config.RmsNormEpsilon:R} {config.RopeTheta:R} ")));
            if (config.RopeScaling is { } scaling)
            {
                // LLaMA 3's, which was the only one once, has no name in caches of that time.
                var name = scaling is Llama3RopeScaling ? "" : $"{scaling.GetType().Name} ";
                var settings = scaling.Settings.Select(setting => string.Create(CultureInfo.InvariantCulture, $"{setting.Value:R}"));
                stream.Write(Encoding.UTF8.GetBytes(name + string.Join(' ', settings)));
            }
            foreach (var (name, parameter) in
                weights.ChainParameters().OrderBy(entry => entry.name, StringComparer.Ordinal))
            {
                var (module, chain) = ParameterName.Parse(name);
                if (chain < config.KeyValueChains && module is not ("norm" or ParameterName.Head))
                    TensorBytes.Write(stream, parameter);
            }
        }
        return hash.Hash!;
    }
}
