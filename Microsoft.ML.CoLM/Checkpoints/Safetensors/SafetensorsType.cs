using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>An element type of the safetensors format: its name there, its bytes, and its name in torch.</summary>
/// <param name="Name">The format's name, for example <c>BF16</c>.</param>
/// <param name="Size">Bytes of an element.</param>
/// <param name="Scalar">torch's type, or <see langword="null"/> where TorchSharp has none.</param>
internal readonly record struct SafetensorsType(string Name, int Size, ScalarType? Scalar)
{
    // In the order in which the format's own writer puts tensors of different types into one file.
    private static readonly SafetensorsType[] All =
    [
        new("U64", 8, null), new("I64", 8, ScalarType.Int64), new("F64", 8, ScalarType.Float64),
        new("C64", 8, ScalarType.ComplexFloat32), new("F32", 4, ScalarType.Float32), new("U32", 4, null),
        new("I32", 4, ScalarType.Int32), new("BF16", 2, ScalarType.BFloat16), new("F16", 2, ScalarType.Float16),
        new("U16", 2, null), new("I16", 2, ScalarType.Int16), new("F8_E8M0", 1, null), new("F8_E4M3", 1, null),
        new("F8_E5M2", 1, null), new("I8", 1, ScalarType.Int8), new("U8", 1, ScalarType.Byte),
        new("BOOL", 1, ScalarType.Bool),
    ];

    /// <summary>Whether weights may be stored in this type.</summary>
    public bool IsWeight => Scalar is { } scalar && ChainModule.CanHoldWeights(scalar);

    /// <summary>The place of this type's tensors in a file.</summary>
    public int Rank => Array.IndexOf(All, this);

    public static SafetensorsType? Find(string name)
    {
        foreach (var type in All)
        {
            if (type.Name == name)
                return type;
        }
        return null;
    }

    /// <summary>The type that is torch's.</summary>
    public static SafetensorsType Of(ScalarType scalar) => Array.Find(All, type => type.Scalar == scalar);

    /// <summary>The type that a model's tensor is stored in: weights, or quantised ones' codes.</summary>
    /// <exception cref="NotSupportedException">Weights cannot be stored in this type.</exception>
    public static SafetensorsType OfWeights(ScalarType scalar)
    {
        if (Of(scalar) is { } type && (type.IsWeight || scalar is ScalarType.Int8 or ScalarType.Byte))
            return type;
        throw new NotSupportedException($"Weights are stored as Float32, BFloat16 or Float16, not as {scalar}.");
    }
}
