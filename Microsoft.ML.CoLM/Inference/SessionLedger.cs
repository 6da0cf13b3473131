using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>What a session computed, and what its cache lacks.</summary>
/// <param name="cache">The session's cache.</param>
/// <param name="config">The session's model, which may have other chains than the one that the cache was made for.</param>
/// <param name="canGrow">Whether the session keeps what later chains are computed from.</param>
internal sealed class SessionLedger(KvCache cache, CoLMConfig config, bool canGrow)
{
    private readonly long[] _keyValuesComputed = new long[config.ChainCount];
    private readonly long[] _featuresComputed = new long[config.ChainCount];

    /// <summary>For each chain, how many tokens' keys and values were computed.</summary>
    public IReadOnlyList<long> KeyValuesComputed => _keyValuesComputed;

    /// <summary>For each chain, how many tokens' features were computed.</summary>
    public IReadOnlyList<long> FeaturesComputed => _featuresComputed;

    /// <summary>Chains were computed, and their keys and values cached, for neighbouring tokens.</summary>
    public void Count(int sequence, int position, int tokens, ChainRange chains)
    {
        for (var chain = chains.First; chain < chains.End; chain++)
        {
            _featuresComputed[chain] += tokens;
            if (chain >= config.KeyValueChains)
                continue;
            _keyValuesComputed[chain] += tokens;
            if (cache.CachedLength(sequence, chain) == position)
                cache.SetCachedLength(sequence, chain, position + tokens);
        }
    }

    /// <summary>Chains whose keys and values end before the sequence does, and where; neighbours of like length together.</summary>
    /// <remarks>To be carried out one by one, in this order: later chains read what earlier ones compute.</remarks>
    /// <exception cref="InvalidOperationException">Some are missing, and the session cannot compute them.</exception>
    public IEnumerable<(ChainRange Chains, int Start)> Missing(int sequence, int chainCount)
    {
        var end = Math.Min(chainCount, config.KeyValueChains);
        for (var chain = 1; chain < end;)
        {
            var start = cache.CachedLength(sequence, chain);
            var first = chain++;
            while (chain < end && cache.CachedLength(sequence, chain) == start)
                chain++;
            if (start == cache.Length(sequence))
                continue;
            if (!canGrow)
                throw new InvalidOperationException("The session does not keep what more chains are computed from.");
            yield return (new ChainRange(first, chain), start);
        }
    }
}
