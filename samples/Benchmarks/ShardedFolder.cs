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
    /// <param name="shards">Files to share the weights out to.</param>
    public static void Write(CoLMModel model, string folder, int shards)
    {
        var weights = ChainTensors.ParametersOf(model, chain: 0);
        var all = weights.Values.Sum(Bytes);
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long written = 0;
        for (var shard = 1; shard <= shards; shard++)
        {
            var (name, begin) = (Name(shard, shards), written);
            KeyValuePair<string, Tensor>[] own = [.. weights.Where(entry => !map.ContainsKey(entry.Key)).TakeWhile(entry =>
                (written += Bytes(entry.Value)) <= all * shard / shards || shard == shards || written - begin == Bytes(entry.Value))];
            written = begin + own.Sum(entry => Bytes(entry.Value));
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

    private static string Name(int shard, int shards) =>
        string.Create(CultureInfo.InvariantCulture, $"model-{shard:D5}-of-{shards:D5}.safetensors");

    private static long Bytes(Tensor tensor) => tensor.numel() * tensor.ElementSize;
}
