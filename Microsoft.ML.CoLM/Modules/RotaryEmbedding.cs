using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>The angles of the rotary embedding, the same for every head of every chain.</summary>
internal sealed class RotaryEmbedding
{
    public RotaryEmbedding(CoLMConfig config)
    {
        InverseFrequencies = new float[config.HeadWidth / 2];
        for (var pair = 0; pair < InverseFrequencies.Length; pair++)
        {
            var frequency = 1 / Math.Pow(config.RopeTheta, 2.0 * pair / config.HeadWidth);
            InverseFrequencies[pair] =
                (float)(config.RopeScaling is { } scaling ? Scale(frequency, scaling) : frequency);
        }
    }

    /// <summary>Radians a position turns each pair of features by, kept in float32 whatever the model's type.</summary>
    internal float[] InverseFrequencies { get; }

    /// <summary>Cosine and sine of each position's angles.</summary>
    /// <param name="start">Position of the first token.</param>
    /// <param name="length">Number of tokens.</param>
    /// <param name="device">Where the result lives.</param>
    /// <param name="dtype">The result's type; the angles are always computed in float32.</param>
    /// <returns>Two tensors [length, d / 2].</returns>
    public (Tensor Cosine, Tensor Sine) Angles(long start, long length, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using Scalar first = start.ToScalar(), end = (start + length).ToScalar();
        var positions = arange(first, end, Scalars.One, dtype: float32, device: device);
        var angles = outer(positions, tensor(InverseFrequencies, device: device));
        return (angles.cos().to(dtype).MoveToOuterDisposeScope(), angles.sin().to(dtype).MoveToOuterDisposeScope());
    }

    /// <summary>Cosine and sine of one position's angles, in float32.</summary>
    public void Angles(int position, Span<float> cosine, Span<float> sine)
    {
        for (var pair = 0; pair < InverseFrequencies.Length; pair++)
            (sine[pair], cosine[pair]) = MathF.SinCos(position * InverseFrequencies[pair]);
    }

    // LLaMA 3: wavelengths beyond the original context are stretched, short ones kept, those between blended.
    private static double Scale(double frequency, RopeScaling scaling)
    {
        var wavelength = 2 * Math.PI / frequency;
        var cycles = scaling.OriginalContextLength / wavelength;
        if (cycles < scaling.LowFrequencyFactor)
            return frequency / scaling.Factor;
        if (cycles > scaling.HighFrequencyFactor)
            return frequency;
        var kept = (cycles - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return (1 - kept) * frequency / scaling.Factor + kept * frequency;
    }
}
