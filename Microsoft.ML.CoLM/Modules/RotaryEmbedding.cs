using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>The angles of the rotary embedding, the same for every head of every chain.</summary>
internal sealed class RotaryEmbedding
{
    private readonly CoLMConfig _config;
    private readonly DynamicRopeScaling? _dynamic;
    private readonly float _amplitude;

    public RotaryEmbedding(CoLMConfig config)
    {
        _config = config;
        _dynamic = config.RopeScaling as DynamicRopeScaling;
        _amplitude = (float)(config.RopeScaling?.Amplitude ?? 1);
        InverseFrequencies = new float[config.HeadWidth / 2];
        for (var pair = 0; pair < InverseFrequencies.Length; pair++)
            InverseFrequencies[pair] = Frequency(pair, config.RopeTheta);
    }

    /// <summary>
    /// Radians a position turns each pair of features by, kept in float32 whatever the model's type; in a sequence for which
    /// <see cref="DependOnLength"/> does not hold.
    /// </summary>
    internal float[] InverseFrequencies { get; }

    /// <summary>Whether the angles of a sequence of so many tokens are others than those of shorter ones.</summary>
    public bool DependOnLength(long length) => length > _dynamic?.OriginalContextLength;

    /// <summary>Cosine and sine of each position's angles, in sequences that end with the last of them.</summary>
    /// <param name="start">Position of the first token.</param>
    /// <param name="length">Number of tokens.</param>
    /// <param name="device">Where the result lives.</param>
    /// <param name="dtype">The result's type; the angles are always computed in float32.</param>
    /// <returns>Two tensors [length, d / 2].</returns>
    public (Tensor Cosine, Tensor Sine) Angles(long start, long length, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var (cosine, sine) = Turns(Positions(start, length, device), Frequencies([start + length], device), dtype);
        return (cosine.MoveToOuterDisposeScope(), sine.MoveToOuterDisposeScope());
    }

    /// <summary>Cosine and sine of each position's angles, each position in a sequence of its own length.</summary>
    /// <param name="start">Position of the first token.</param>
    /// <param name="lengths">For each token, the length of the sequence that its angles are those of.</param>
    /// <param name="device">Where the result lives.</param>
    /// <param name="dtype">The result's type.</param>
    /// <returns>Two tensors [length, d / 2].</returns>
    public (Tensor Cosine, Tensor Sine) Angles(
        long start, IReadOnlyList<int> lengths, Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var frequencies = Frequencies([.. lengths.Select(length => (long)length)], device);
        var (cosine, sine) = Turns(Positions(start, lengths.Count, device), frequencies, dtype);
        return (cosine.MoveToOuterDisposeScope(), sine.MoveToOuterDisposeScope());
    }

    /// <summary>Cosine and sine of the angles of sequences beside each other, which begin at the first position.</summary>
    /// <param name="length">Tokens of each sequence, with padding.</param>
    /// <param name="lengths">Tokens of each sequence, without padding.</param>
    /// <param name="device">Where the result lives.</param>
    /// <param name="dtype">The result's type.</param>
    /// <returns>Two tensors [length, d / 2], or [sequences, 1, 1, length, d / 2] where the sequences' angles differ.</returns>
    public (Tensor Cosine, Tensor Sine) AnglesOf(
        long length, IReadOnlyList<int> lengths, Device device, ScalarType dtype)
    {
        if (lengths.Count == 1 || !DependOnLength(lengths.Max()))
            return Angles(0, length, device, dtype);
        using var scope = NewDisposeScope();
        var frequencies = Frequencies([.. lengths.Select(own => (long)own)], device).view(lengths.Count, 1, 1, 1, -1);
        var (cosine, sine) = Turns(Positions(0, length, device), frequencies, dtype);
        return (cosine.MoveToOuterDisposeScope(), sine.MoveToOuterDisposeScope());
    }

    /// <summary>Cosine and sine of one position's angles, in float32.</summary>
    /// <param name="position">The position.</param>
    /// <param name="length">Tokens of the sequence that the angles are those of.</param>
    /// <param name="cosine">d / 2 numbers.</param>
    /// <param name="sine">d / 2 numbers.</param>
    public void Angles(int position, int length, Span<float> cosine, Span<float> sine)
    {
        var theta = DependOnLength(length) ? Theta(length) : 0;
        for (var pair = 0; pair < InverseFrequencies.Length; pair++)
        {
            var frequency = theta == 0 ? InverseFrequencies[pair] : Frequency(pair, theta);
            (sine[pair], cosine[pair]) = MathF.SinCos(position * frequency);
            sine[pair] *= _amplitude;
            cosine[pair] *= _amplitude;
        }
    }

    private static Tensor Positions(long start, long length, Device device)
    {
        using Scalar first = start.ToScalar(), end = (start + length).ToScalar();
        return arange(first, end, Scalars.One, dtype: float32, device: device).unsqueeze(1);
    }

    /// <summary>[lengths, d / 2]</summary>
    private Tensor Frequencies(long[] lengths, Device device)
    {
        var pairs = InverseFrequencies.Length;
        var all = new float[lengths.Length * pairs];
        for (var i = 0; i < lengths.Length; i++)
        {
            if (i > 0 && lengths[i] == lengths[i - 1])
                all.AsSpan((i - 1) * pairs, pairs).CopyTo(all.AsSpan(i * pairs));
            else if (!DependOnLength(lengths[i]))
                InverseFrequencies.CopyTo(all.AsSpan(i * pairs));
            else
                Fill(all.AsSpan(i * pairs, pairs), Theta(lengths[i]));
        }
        return tensor(all, [lengths.Length, pairs], device: device);
    }

    private void Fill(Span<float> frequencies, double theta)
    {
        for (var pair = 0; pair < frequencies.Length; pair++)
            frequencies[pair] = Frequency(pair, theta);
    }

    private (Tensor Cosine, Tensor Sine) Turns(Tensor positions, Tensor frequencies, ScalarType dtype)
    {
        var angles = positions * frequencies;
        if (_amplitude == 1)
            return (angles.cos().to(dtype), angles.sin().to(dtype));
        using var amplitude = _amplitude.ToScalar();
        return (angles.cos().mul_(amplitude).to(dtype), angles.sin().mul_(amplitude).to(dtype));
    }

    private double Theta(long length) => _dynamic!.Theta(_config.RopeTheta, _config.HeadWidth, length);

    private float Frequency(int pair, double theta)
    {
        var frequency = 1 / Math.Pow(theta, 2.0 * pair / _config.HeadWidth);
        return (float)(_config.RopeScaling?.Scale(frequency, pair, _config) ?? frequency);
    }
}
