using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Inference;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Generates several sequences side by side, a token of each in every pass; as many as the session holds, and each of the
/// others in the place of one that has ended.
/// </summary>
internal sealed class PlainDecoding
{
    private readonly IDecodingSession _session;
    private readonly SlotSampler _slots;
    private readonly List<GeneratedSequence> _active = [];
    private readonly List<GeneratedSequence> _batch = [];
    private readonly Queue<GeneratedSequence> _waiting;
    private readonly DecodingRow[] _rows;
    private readonly int _places;

    /// <param name="session">The running model.</param>
    /// <param name="sampler">Chooses tokens.</param>
    /// <param name="sequences">What to generate; where all have a place, the first may be in the session's cache already.</param>
    /// <param name="places">Sequences that the session holds.</param>
    public PlainDecoding(
        IDecodingSession session, TokenSampler sampler, IEnumerable<GeneratedSequence> sequences, int places)
    {
        (_session, _slots, _places) = (session, new SlotSampler(session, sampler), places);
        _waiting = new(sequences.Where(sequence => sequence.FinishReason is null));
        _rows = new DecodingRow[Math.Min(session.SlotCount, places)];
    }

    /// <summary>Generates until every sequence has ended.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Run(CancellationToken cancellation)
    {
        while (_active.Count < _places && _waiting.Count > 0)
            _active.Add(Begin(place: _active.Count, cancellation));
        while (_active.Count > 0)
        {
            StepAll(cancellation);
            for (var i = 0; i < _active.Count; i++)
            {
                if (_active[i].FinishReason is null)
                {
                    _active[i].ChooseChainCount();
                }
                else if (_waiting.Count > 0)
                {
                    _session.Trim(_active[i].Index, 0);
                    _active[i] = Begin(_active[i].Index, cancellation);
                }
            }
            _active.RemoveAll(static sequence => sequence.FinishReason is not null);
        }
    }

    private GeneratedSequence Begin(int place, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var sequence = _waiting.Dequeue();
        sequence.Index = place;
        sequence.Prefill(_session, cancellation);
        return sequence;
    }

    /// <summary>A token for every sequence; those with the same chain count, as many as fit, in one pass.</summary>
    private void StepAll(CancellationToken cancellation)
    {
        var chainCount = 0;
        while (TryFindNext(ref chainCount))
        {
            foreach (var sequence in _active)
            {
                if (sequence.ChainCount != chainCount)
                    continue;
                _batch.Add(sequence);
                if (_batch.Count == _rows.Length)
                    Step(chainCount, cancellation);
            }
            if (_batch.Count > 0)
                Step(chainCount, cancellation);
        }
    }

    /// <summary>Finds the next higher chain count that a sequence wants.</summary>
    private bool TryFindNext(ref int chainCount)
    {
        var next = int.MaxValue;
        foreach (var sequence in _active)
        {
            if (sequence.ChainCount > chainCount && sequence.ChainCount < next)
                next = sequence.ChainCount;
        }
        chainCount = next;
        return next != int.MaxValue;
    }

    private void Step(int chainCount, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        for (var i = 0; i < _batch.Count; i++)
        {
            _batch[i].PrepareCache(_session);
            _rows[i] = _batch[i].LastRow;
        }
        _session.Run(_rows.AsSpan(0, _batch.Count), firstSlot: 0, new ChainRange(0, chainCount));
        _slots.Prepare(firstSlot: 0, _batch.Count, _batch[0].AsksForConfidence);
        for (var i = 0; i < _batch.Count; i++)
        {
            _batch[i].FullPassCount++;
            _batch[i].AppendSample(_slots, i);
        }
        _batch.Clear();
    }
}
