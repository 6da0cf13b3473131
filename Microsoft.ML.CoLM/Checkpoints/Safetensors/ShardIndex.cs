using System.Text.Json;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads Hugging Face's <c>model.safetensors.index.json</c>: which file holds which tensor.</summary>
internal static class ShardIndex
{
    /// <summary>The expected tensors by the file that the index puts them in.</summary>
    /// <exception cref="InvalidDataException">
    /// The index is not valid, lacks a tensor, or names a file outside its folder.
    /// </exception>
    public static SortedDictionary<string, List<TensorSpec>> Assign(string path, IEnumerable<TensorSpec> expected)
    {
        return Read(path, files =>
        {
            var shards = new SortedDictionary<string, List<TensorSpec>>(StringComparer.Ordinal);
            foreach (var tensor in expected)
            {
                var shard = ShardOf(tensor, files, path);
                if (!shards.TryGetValue(shard, out var tensors))
                    shards.Add(shard, tensors = []);
                tensors.Add(tensor);
            }
            return shards;
        });
    }

    /// <summary>The file that holds a tensor; null where the index does not name it.</summary>
    /// <exception cref="InvalidDataException">The index is not valid, or names a file outside its folder.</exception>
    public static string? FindFile(string path, TensorSpec tensor) => Read(path, files =>
        tensor.FindIn(name => files.ContainsKey(name) ? name : null) is null ? null : ShardOf(tensor, files, path));

    private static T Read<T>(string path, Func<Dictionary<string, JsonElement>, T> read)
    {
        try
        {
            using var document = JsonDocument.Parse(
                BoundedFile.ReadAllBytes(path, FileLimits.ShardIndex),
                new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map)
                || map.ValueKind != JsonValueKind.Object)
            {
                throw new InvalidDataException($"{path}: \"weight_map\", which tells each tensor's file, is missing.");
            }
            return read(map.EnumerateObject().ToDictionary(
                entry => entry.Name, entry => entry.Value, StringComparer.Ordinal));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half a surrogate pair.
            throw new InvalidDataException($"{path}: not valid JSON: {e.Message}", e);
        }
    }

    private static string ShardOf(TensorSpec tensor, Dictionary<string, JsonElement> files, string path)
    {
        if (tensor.FindIn(name => files.TryGetValue(name, out var found) ? found : (JsonElement?)null) is not { } file)
        {
            throw new InvalidDataException($"{path}: tensor {ErrorText.Quote(tensor.Name)} of shape " +
                $"{ErrorText.Shape(tensor.Shape)} is missing.");
        }
        var shard = file.ValueKind == JsonValueKind.String ? file.GetString()! : "";
        if (!IsPlain(shard))
        {
            throw new InvalidDataException($"{path}: tensor {ErrorText.Quote(tensor.Name)} must be in a file of the " +
                $"same folder, found {ErrorText.Value(file)}.");
        }
        return shard;
    }

    // The name of a file in the folder itself, on every system.
    private static bool IsPlain(string name) =>
        name.Length > 0 && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\:\0") < 0;
}
