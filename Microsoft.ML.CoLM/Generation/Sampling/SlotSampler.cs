using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Chooses tokens by the logits of a session's slots: by what the session finds where they are if that is enough, and by all of
/// them otherwise. The choices are the same.
/// </summary>
/// <param name="session">The running model.</param>
/// <param name="sampler">Chooses.</param>
internal sealed class SlotSampler(IDecodingSession session, TokenSampler sampler)
{
    private readonly LargestLogit[] _largest = new LargestLogit[session.SlotCount];
    private readonly LogitCandidates _candidates = new();
    private int _firstSlot;
    private bool _hasLargest;
    private bool _hasCandidates;

    /// <summary>Prepares the choices of some slots, which were run last.</summary>
    /// <param name="firstSlot">The first slot.</param>
    /// <param name="count">How many.</param>
    /// <param name="asksForConfidence">Whether it is also asked how clear a choice is, which depends on all logits.</param>
    public void Prepare(int firstSlot, int count, bool asksForConfidence = false)
    {
        _firstSlot = firstSlot;
        _hasLargest = !asksForConfidence && sampler.TakesLargest &&
            session.TryFindLargest(firstSlot, _largest.AsSpan(0, count));
        _hasCandidates = !asksForConfidence && sampler.CandidateCount > 0 &&
            session.TryFindCandidates(firstSlot, count, sampler.CandidateCount, TokenDistribution.BlockSize, _candidates);
    }

    /// <summary>Chooses the next token; parameters as for <see cref="TokenSampler"/>.</summary>
    public int Sample(int slot, TokenHistory? history, Random random)
    {
        if (_hasLargest)
            return TokenSampler.Take(_largest[slot - _firstSlot]);
        return _hasCandidates
            ? sampler.Sample(_candidates, slot - _firstSlot, random)
            : sampler.Sample(session.Logits(slot), history, random);
    }

    /// <summary>Chooses the next token, and says how clear the choice was.</summary>
    public int Sample(int slot, TokenHistory? history, Random random, out double entropy, out double margin) =>
        sampler.Sample(session.Logits(slot), history, random, out entropy, out margin);

    /// <summary>The most probable token, and its probability; where it is greedy.</summary>
    public int Take(int slot, TokenHistory? history, Random random, out double probability)
    {
        var token = Sample(slot, history, random);
        probability = _hasLargest
            ? _largest[slot - _firstSlot].Probability
            : VectorMath.SoftmaxOf(session.Logits(slot), token);
        return token;
    }

    /// <summary>The distribution that <see cref="Sample(int, TokenHistory?, Random)"/> draws from.</summary>
    public void Fill(TokenDistribution distribution, int slot, TokenHistory? history)
    {
        if (_hasCandidates)
            sampler.Fill(distribution, _candidates, slot - _firstSlot);
        else
            sampler.Fill(distribution, session.Logits(slot), history);
    }
}
