using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>How a group of 32 neighbouring weights is packed: codes, and a scale that all of them are multiplied by.</summary>
internal unsafe interface ICodes
{
    /// <summary>Bytes of a group's codes.</summary>
    static abstract int GroupBytes { get; }

    /// <summary>torch's type of a byte of them.</summary>
    static abstract ScalarType Type { get; }

    /// <summary>A group's weights before they are scaled, whole numbers from -128 to 127.</summary>
    static abstract Vector256<sbyte> Load(byte* group);

    /// <summary>
    /// Whether <see cref="LoadPair"/> gives the first halves of both groups, and then the second ones, since that is how they come;
    /// otherwise it gives one group after the other.
    /// </summary>
    static abstract bool JoinsHalves { get; }

    /// <summary>
    /// The weights of two neighbouring groups, as <see cref="Load"/> gives them, with <see cref="ByteProducts.Offset"/> added to each.
    /// </summary>
    static abstract (Vector256<byte> First, Vector256<byte> Second) LoadPair(byte* groups);

    /// <summary>As <see cref="LoadPair"/>, of one group alone; what stands for the other has no meaning.</summary>
    static abstract (Vector256<byte> First, Vector256<byte> Second) LoadLast(byte* group);

    /// <summary>Packs a group with a scale that suits it: little of the squared error is left that another would save.</summary>
    /// <param name="weights">32 finite numbers.</param>
    /// <param name="group">Gets the codes.</param>
    /// <returns>The scale; never zero.</returns>
    static abstract float Pack(ReadOnlySpan<float> weights, byte* group);

    /// <summary>Packs a group with a given scale, each weight by the nearest code.</summary>
    /// <param name="weights">32 finite numbers.</param>
    /// <param name="scale">The scale, not zero.</param>
    /// <param name="group">Gets the codes.</param>
    static abstract void Pack(ReadOnlySpan<float> weights, float scale, byte* group);

    /// <summary>The nearest of the codes' numbers.</summary>
    /// <param name="weight">A weight, divided by its group's scale.</param>
    static abstract float Nearest(float weight);
}
