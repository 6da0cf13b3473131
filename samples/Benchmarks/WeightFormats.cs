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
    /// <exception cref="ArgumentException">The name is none of these.</exception>
    public static CoLMModel Apply(CoLMModel source, string name)
    {
        string[] names = name.Split(',');
        if (names.Length == 1)
            names = [.. Enumerable.Repeat(name, source.ChainCount)];
        var model = source.Quantize(Array.ConvertAll(names, Parse));
        if (names.All(own => own is "bfloat16"))
            model.to(ScalarType.BFloat16);
        return model;
    }

    private static WeightFormat? Parse(string name) => name switch
    {
        "float32" or "bfloat16" => null,
        "int8" => WeightFormat.Int8,
        "int4" => WeightFormat.Int4,
        _ => throw new ArgumentException($"--formats must be float32, bfloat16, int8 or int4, found '{name}'."),
    };
}
