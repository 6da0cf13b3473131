using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Inference;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Self-speculative decoding of one sequence: the first chain drafts tokens, one pass of the chains after it, which
/// goes on from the first chain's features, verifies them all.
/// </summary>
/// <remarks>
/// Greedy, a drafted token is accepted when it is what all chains would have chosen. Sampling, it is accepted and
/// replaced as in Leviathan et al. 2023, so that tokens follow the distribution of plain sampling exactly.
/// </remarks>
internal sealed class Speculation
{
    private readonly IDecodingSession _session;
    private readonly SlotSampler _slots;
    private readonly bool _isGreedy;
    private readonly GeneratedSequence _sequence;
    private readonly DraftPolicy _policy;
    private readonly int _maxDraftTokens;
    private readonly DecodingRow[] _rows;
    private readonly TokenDistribution[] _drafts;
    private readonly TokenDistribution _target = new();
    private readonly double[] _scratch;

    /// <param name="session">The running model; the sequence may be in its cache already.</param>
    /// <param name="sampler">Chooses tokens, the first chain's and those of all alike.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="config">The model's.</param>
    /// <param name="options">Checked options, of more than one chain.</param>
    public Speculation(
        IDecodingSession session, TokenSampler sampler, GeneratedSequence sequence, CoLMConfig config,
        GenerationOptions options)
    {
        _session = session;
        _slots = new SlotSampler(session, sampler);
        _isGreedy = sampler.IsGreedy;
        _sequence = sequence;
        _maxDraftTokens = Math.Min(Math.Min(options.MaxDraftTokens, session.SlotCount - 1), config.ContextLength);
        _policy = new DraftPolicy(DraftPolicy.DraftCost(config.Layout, options.ChainsInUse(config)), _maxDraftTokens);
        _rows = new DecodingRow[_maxDraftTokens + 1];
        _drafts = [.. Enumerable.Range(0, _maxDraftTokens + 1).Select(_ => new TokenDistribution())];
        _scratch = sampler.IsGreedy ? [] : new double[config.VocabularySize];
    }

    /// <summary>Generates until the sequence has ended.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Run(CancellationToken cancellation)
    {
        if (_sequence.FinishReason is null)
            _sequence.Prefill(_session, cancellation);
        while (_sequence.FinishReason is null)
        {
            cancellation.ThrowIfCancellationRequested();
            _sequence.PrepareCache(_session);
            _rows[0] = _sequence.LastRow;
            // Verification brings one token more than are drafted, so this many end where the sequence must.
            var limit = Math.Min(_maxDraftTokens, _sequence.Remaining - 1);
            var drafts = _policy.Begin() && limit > 0;
            var drafted = drafts ? Draft(limit, cancellation) : 0;
            _session.Run(
                _rows.AsSpan(0, drafted + 1), firstSlot: 0, new ChainRange(drafts ? 1 : 0, _sequence.ChainCount));
            _sequence.FullPassCount++;
            _sequence.DraftedTokenCount += drafted;
            var accepted = Verify(drafted);
            _sequence.AcceptedTokenCount += accepted;
            _policy.End(accepted);
            // The last token was not run; what was after it was rejected.
            _session.Trim(_sequence.Index, _sequence.Length - 1);
        }
    }

    /// <summary>Runs the first chain for the last token and for each that it drafts.</summary>
    /// <returns>How many tokens it drafted: row i + 1 is the draft that row i's logits gave.</returns>
    private int Draft(int limit, CancellationToken cancellation)
    {
        var drafted = 0;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            _session.Run(_rows.AsSpan(drafted, 1), firstSlot: drafted, new ChainRange(0, 1));
            if (drafted == limit || (drafted > 0 && _sequence.IsEnd(_rows[drafted].Token)))
                break;
            var token = Propose(drafted, out var topProbability);
            if (!_policy.Wants(topProbability))
                break;
            _sequence.History?.Add(token);
            drafted++;
            _rows[drafted] = new(_sequence.Index, _rows[0].Position + drafted, token);
        }
        for (var i = drafted; i > 0; i--)
            _sequence.History?.Remove(_rows[i].Token);
        return drafted;
    }

    /// <summary>The first chain's token after a row.</summary>
    private int Propose(int slot, out double topProbability)
    {
        _slots.Prepare(slot, count: 1);
        if (_isGreedy)
            return _slots.Take(slot, _sequence.History, _sequence.Random, out topProbability);
        _slots.Fill(_drafts[slot], slot, _sequence.History);
        topProbability = _drafts[slot].TopProbability;
        return _drafts[slot].Draw(_sequence.Random);
    }

    /// <summary>
    /// Appends the drafted tokens that are accepted, and the token that all chains choose after them.
    /// </summary>
    /// <returns>How many drafted tokens were appended.</returns>
    private int Verify(int drafted)
    {
        _slots.Prepare(firstSlot: 0, drafted + 1);
        for (var accepted = 0; accepted < drafted; accepted++)
        {
            var draft = _rows[accepted + 1].Token;
            var token = Choose(draft, accepted);
            _sequence.Append(token);
            if (token != draft)
                return accepted;
            if (_sequence.FinishReason is not null)
                return accepted + 1;
        }
        _sequence.AppendSample(_slots, drafted);
        return drafted;
    }

    /// <summary>The drafted token where it is accepted, or another.</summary>
    private int Choose(int draft, int slot)
    {
        var (history, random) = (_sequence.History, _sequence.Random);
        if (_isGreedy)
            return _slots.Sample(slot, history, random);
        _slots.Fill(_target, slot, history);
        if (random.NextDouble() * _drafts[slot].Probability(draft) < _target.Probability(draft))
            return draft;
        _target.Subtract(_drafts[slot], _scratch);
        return _target.Draw(random);
    }
}
