using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Windows beside each other, padded to one length: what one forward pass reads.</summary>
/// <remarks>Padding stands behind a window's own tokens, which a causal model never looks at.</remarks>
internal sealed class WindowBatch
{
    private readonly long[] _inputs;

    /// <param name="sequences">Token ids.</param>
    /// <param name="windows">Windows over them; all tokens of a window but its last are read.</param>
    /// <param name="length">Tokens to read of each, with padding; null takes as many as the longest has.</param>
    public WindowBatch(
        IReadOnlyList<IReadOnlyList<int>> sequences, ScoringWindow[] windows, int? length = null)
    {
        (Count, Length) = (windows.Length, length ?? windows.Max(window => window.TokensRead));
        var lengths = new int[Count];
        _inputs = new long[(long)Count * Length];
        for (var i = 0; i < windows.Length; i++)
        {
            var window = windows[i];
            var tokens = sequences[window.Sequence];
            lengths[i] = window.TokensRead;
            for (var t = 0; t < window.TokensRead; t++)
                _inputs[(long)i * Length + t] = tokens[window.Start + t];
            for (var t = window.ScoredFrom; t < window.Length; t++)
                Positions.Add(new WindowPosition(i * (long)Length + t - 1, window.Sequence, window.Start + t));
        }
        Lengths = lengths;
    }

    /// <summary>Number of windows.</summary>
    public int Count { get; }

    /// <summary>Tokens of a window.</summary>
    public int Length { get; }

    /// <summary>Tokens to read of each window, without padding.</summary>
    public IReadOnlyList<int> Lengths { get; }

    /// <summary>What the windows are there for, window by window.</summary>
    public List<WindowPosition> Positions { get; } = [];

    /// <summary>[windows, length], Int64.</summary>
    public Tensor TokenIds(Device device) => tensor(_inputs, [Count, Length], device: device);
}
