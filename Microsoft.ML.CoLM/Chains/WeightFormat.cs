using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.CoLM;

/// <summary>How the weights of a quantised chain are stored: codes, with a scale for every 32 neighbouring inputs.</summary>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The names that the field knows the formats by.")]
public enum WeightFormat
{
    /// <summary>
    /// 8.5 bits a weight: whole numbers from -127 to 127 times a bfloat16 scale, which is the group's largest magnitude / 127.
    /// </summary>
    Int8,

    /// <summary>
    /// 4.5 bits a weight: one of 16 values of a fixed code book times a bfloat16 scale, which is chosen by least squared error.
    /// </summary>
    Int4,
}
