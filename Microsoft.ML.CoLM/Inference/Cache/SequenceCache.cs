using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>One sequence of a cache, for one pass of the modules.</summary>
/// <param name="cache">A cache that is not blocked.</param>
/// <param name="sequence">The sequence.</param>
/// <param name="start">Position of the pass's first token.</param>
/// <param name="length">The pass's tokens.</param>
/// <param name="lengths">For each of them, the length of the sequence that its angles are those of; null where none matters.</param>
internal sealed class SequenceCache(
    KvCache cache, int sequence, int start, int length, IReadOnlyList<int>? lengths) : IKeyValueCache
{
    public long Start => start;

    public IReadOnlyList<int>? Lengths => lengths;

    public void Write(int layer, int firstChain, Tensor keys, Tensor values)
    {
        using var scope = NewDisposeScope();
        long head = 0;
        for (var chain = firstChain; head < keys.size(0); chain++)
        {
            long heads = cache.Config.KeyValueHeads(chain);
            cache.Keys(layer, chain)[sequence].narrow(1, start, length).copy_(keys.narrow(0, head, heads).squeeze(1));
            cache.Values(layer, chain)[sequence].narrow(1, start, length).copy_(values.narrow(0, head, heads).squeeze(1));
            head += heads;
        }
    }

    public (Tensor Keys, Tensor Values) Read(int layer, int firstChain, int endChain)
    {
        return (Joined(cache.Keys), Joined(cache.Values));

        Tensor Joined(Func<int, int, Tensor> tensors)
        {
            Tensor[] chains = [.. Enumerable.Range(firstChain, endChain - firstChain)
                .Select(chain => tensors(layer, chain)[sequence].narrow(1, 0, start + length).unsqueeze(1))];
            return chains.Length == 1 ? chains[0] : cat(chains, dim: 0);
        }
    }
}
