using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Writes tensors as a safetensors file, to the byte as Hugging Face's own writer does.</summary>
internal static class SafetensorsWriter
{
    private const int HeaderAlignment = 8;

    /// <summary>Writes the tensors, each in its own type; the same tensors always give the same bytes.</summary>
    /// <param name="stream">The file.</param>
    /// <param name="tensors">The tensors by their names.</param>
    /// <param name="texts">Texts to put beside them, by their names.</param>
    /// <exception cref="NotSupportedException">A tensor is none of Float32, BFloat16 and Float16.</exception>
    public static void Write(
        Stream stream, IEnumerable<KeyValuePair<string, Tensor>> tensors, params IEnumerable<KeyValuePair<string, string>> texts)
    {
        var ordered = tensors
            .OrderBy(tensor => SafetensorsType.OfWeights(tensor.Value.dtype).Rank)
            .ThenBy(tensor => tensor.Key, StringComparer.Ordinal)
            .ToList();

        var header = new ArrayBufferWriter<byte>();
        WriteHeader(header, ordered, texts);
        var padding = (HeaderAlignment - (header.WrittenCount % HeaderAlignment)) % HeaderAlignment;
        header.GetSpan(padding)[..padding].Fill((byte)' ');
        header.Advance(padding);

        Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixLength];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)header.WrittenCount);
        stream.Write(prefix);
        stream.Write(header.WrittenSpan);
        foreach (var (_, tensor) in ordered)
            TensorBytes.Write(stream, tensor);
    }

    private static void WriteHeader(
        IBufferWriter<byte> output, List<KeyValuePair<string, Tensor>> tensors, IEnumerable<KeyValuePair<string, string>> texts)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteStartObject(SafetensorsHeader.MetadataName);
        json.WriteString("format", "pt");
        foreach (var (name, text) in texts)
            json.WriteString(name, text);
        json.WriteEndObject();
        long end = 0;
        foreach (var (name, tensor) in tensors)
        {
            var type = SafetensorsType.OfWeights(tensor.dtype);
            json.WriteStartObject(name);
            json.WriteString("dtype", type.Name);
            json.WriteStartArray("shape");
            foreach (var size in tensor.shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(end);
            end += tensor.numel() * type.Size;
            json.WriteNumberValue(end);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
