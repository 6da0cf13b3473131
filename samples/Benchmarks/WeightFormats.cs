using Microsoft.ML.CoLM;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>A model's weights in a format that the command line names.</summary>
internal static class WeightFormats
{
    /// <summary>A copy of a float32 model.</summary>
    /// <param name="source">The model.</param>
    /// <param name="name">float32, bfloat16, int8 or int4, or one for each chain, joined by commas.</param>
    /// <param name="texts">Texts to round for, for names that end in a plus sign; null where there are none.</param>
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    public static CoLMModel Apply(CoLMModel source, string name, IEnumerable<string>? texts = null)
    {
        if (name.EndsWith('+'))
            return source.Quantize(Formats(source, name[..^1]), texts ?? throw new ArgumentException($"--formats '{name}' needs --calibration."));
        var model = source.Quantize(Formats(source, name));
        if (name is "bfloat16")
            model.to(ScalarType.BFloat16);
        return model;
    }

    private static WeightFormat?[] Formats(CoLMModel source, string name)
    {
        var names = name.Split(',');
        return Array.ConvertAll(names.Length == 1 ? [.. Enumerable.Repeat(name, source.ChainCount)] : names, Parse);
    }

    private static WeightFormat? Parse(string name) => name switch
    {
        "float32" or "bfloat16" => null,
        "int8" => WeightFormat.Int8,
        "int4" => WeightFormat.Int4,
        _ => throw new ArgumentException($"--formats must be float32, bfloat16, int8 or int4, found '{name}'."),
    };
}
