using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Examples beside each other, padded to one length.</summary>
/// <remarks>Padding stands behind an example's own tokens, which a causal model never looks at.</remarks>
internal sealed class PaddedBatch
{
    private readonly IReadOnlyList<int[]> _examples;

    /// <param name="examples">Token ids of each, at least one.</param>
    public PaddedBatch(IReadOnlyList<int[]> examples)
        : this(examples, examples.Max(example => example.Length))
    {
    }

    private PaddedBatch(IReadOnlyList<int[]> examples, int length)
    {
        (_examples, Length) = (examples, length);
        TokenCount = examples.Sum(example => (long)example.Length);
    }

    /// <summary>Number of examples.</summary>
    public int Count => _examples.Count;

    /// <summary>Tokens of each, with padding.</summary>
    public int Length { get; }

    /// <summary>Tokens of all, without padding.</summary>
    public long TokenCount { get; }

    /// <summary>Tokens of each example, without padding.</summary>
    public IReadOnlyList<int> Lengths => [.. _examples.Select(example => example.Length)];

    /// <summary>Token ids of an example, without padding.</summary>
    public int[] Example(int index) => _examples[index];

    /// <summary>Some of the examples, padded to the length of all.</summary>
    public PaddedBatch Take(int[] examples) => new(Array.ConvertAll(examples, i => _examples[i]), Length);

    /// <summary>[examples, length], Int64.</summary>
    public Tensor TokenIds(Device device)
    {
        var ids = new long[(long)Count * Length];
        for (var i = 0; i < Count; i++)
        {
            for (var t = 0; t < _examples[i].Length; t++)
                ids[(long)i * Length + t] = _examples[i][t];
        }
        return tensor(ids, [Count, Length], device: device);
    }

    /// <summary>[examples], Int64: each example's last token.</summary>
    public Tensor LastTokenIds(Device device) =>
        tensor(_examples.Select(example => (long)example[^1]).ToArray(), device: device);

    /// <summary>[examples], Int64: the position of each example's last token.</summary>
    public Tensor LastPositions(Device device) =>
        tensor(_examples.Select(example => example.Length - 1L).ToArray(), device: device);

    /// <summary>[examples · heads, 1, 1, length], Boolean: the tokens that are no padding.</summary>
    public Tensor KeyMask(int heads, Device device)
    {
        using var scope = NewDisposeScope();
        using var end = Length.ToScalar();
        var positions = arange(Scalars.Zero, end, Scalars.One, dtype: int64, device: device);
        return positions.unsqueeze(0).le(LastPositions(device).unsqueeze(1))               // [examples, length]
            .repeat_interleave(heads, dim: 0).view(-1, 1, 1, Length).MoveToOuterDisposeScope();
    }

    /// <summary>One vector for each example of the features of all its tokens, in float32.</summary>
    /// <param name="features">[examples · length, D], padding included.</param>
    /// <param name="pooling">What becomes of an example's tokens.</param>
    /// <returns>[examples, D].</returns>
    public Tensor Pool(Tensor features, FeaturePooling pooling)
    {
        using var scope = NewDisposeScope();
        if (pooling == FeaturePooling.LastToken)
            return features.index_select(0, LastRows(features.device)).to(float32).MoveToOuterDisposeScope();
        return Shares(features.device).bmm(features.to(float32).view(Count, Length, -1)).squeeze(1)
            .MoveToOuterDisposeScope();
    }

    // [examples, 1, length]: what each token is of its example's mean; padding is nothing of it.
    private Tensor Shares(Device device)
    {
        var shares = new float[(long)Count * Length];
        for (var i = 0; i < Count; i++)
            shares.AsSpan(i * Length, _examples[i].Length).Fill(1f / _examples[i].Length);
        return tensor(shares, [Count, 1, Length], device: device);
    }

    /// <summary>[examples], Int64: the row of each example's last token among the batch's features.</summary>
    public Tensor LastRows(Device device)
    {
        var rows = new long[Count];
        for (var i = 0; i < Count; i++)
            rows[i] = i * (long)Length + _examples[i].Length - 1;
        return tensor(rows, device: device);
    }
}
