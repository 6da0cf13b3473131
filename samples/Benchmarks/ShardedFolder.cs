using System.Globalization;
using System.Text.Json;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Checkpoints;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>A model's folder as Hugging Face writes those of large models: the weights in several files, and an index of them.</summary>
internal static class ShardedFolder
{
    /// <summary>Writes a model of one chain.</summary>
    /// <param name="model">The model, with its tokenizer's files.</param>
    /// <param name="folder">A folder that is there.</param>
    /// <param name="shards">Files to share the weights out to; fewer where a tensor is larger than a share.</param>
    public static void Write(CoLMModel model, string folder, int shards)
    {
        var weights = ChainTensors.ParametersOf(model, chain: 0);
        var (all, before) = (weights.Values.Sum(Bytes), 0L);
        var files = new SortedDictionary<long, List<KeyValuePair<string, Tensor>>>();
        foreach (var weight in weights)
        {
            var share = before * shards / all;
            if (!files.TryGetValue(share, out var own))
                files.Add(share, own = []);
            own.Add(weight);
            before += Bytes(weight.Value);
        }
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var own in files.Values)
        {
            var name = string.Create(
                CultureInfo.InvariantCulture, $"model-{map.Values.Distinct().Count() + 1:D5}-of-{files.Count:D5}.safetensors");
            using (var file = File.Create(Path.Combine(folder, name)))
                SafetensorsWriter.Write(file, own);
            foreach (var (tensor, _) in own)
                map.Add(tensor, name);
        }
        var index = new { metadata = new { total_size = all }, weight_map = map };
        File.WriteAllBytes(Path.Combine(folder, ModelFiles.ShardIndex), JsonSerializer.SerializeToUtf8Bytes(index));
        foreach (var (name, bytes) in model.TokenizerFiles!.Files)
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
        File.WriteAllText(Path.Combine(folder, ModelFiles.Config), ConfigJson.Write(model.Config, model.DataType));
    }

    private static long Bytes(Tensor tensor) => tensor.numel() * tensor.ElementSize;
}
