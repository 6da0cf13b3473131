using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Keys and values of a sequence's earlier tokens, which attention reads and adds to.</summary>
internal interface IKeyValueCache
{
    /// <summary>Tokens before those of the pass.</summary>
    long Start { get; }

    /// <summary>
    /// For each token of the pass, the length of the sequence that its angles are those of; null where that is all up to the
    /// last of them.
    /// </summary>
    IReadOnlyList<int>? Lengths { get; }

    /// <summary>Caches the pass's keys and values of some chains.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="firstChain">The first of the chains that the heads belong to.</param>
    /// <param name="keys">[heads, 1, length, d], rotated.</param>
    /// <param name="values">[heads, 1, length, d].</param>
    void Write(int layer, int firstChain, Tensor keys, Tensor values);

    /// <summary>Keys and values of some chains for all tokens up to the end of the pass.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="firstChain">The first of the chains.</param>
    /// <param name="endChain">The chain after the last.</param>
    /// <returns>Two tensors [heads, 1, tokens, d].</returns>
    (Tensor Keys, Tensor Values) Read(int layer, int firstChain, int endChain);
}
