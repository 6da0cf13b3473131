using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Generates several sequences side by side, a token of each in every pass.</summary>
internal sealed class PlainDecoding
{
    private readonly IDecodingSession _session;
    private readonly TokenSampler _sampler;
    private readonly List<GeneratedSequence> _active = [];
    private readonly List<GeneratedSequence> _batch = [];
    private readonly DecodingRow[] _rows;

    public PlainDecoding(IDecodingSession session, TokenSampler sampler, int sequenceCount)
    {
        _session = session;
        _sampler = sampler;
        _rows = new DecodingRow[Math.Min(session.SlotCount, sequenceCount)];
    }

    /// <summary>Generates until every sequence has ended.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public void Run(IReadOnlyList<GeneratedSequence> sequences, CancellationToken cancellation)
    {
        foreach (var sequence in sequences)
        {
            if (sequence.FinishReason is not null)
                continue;
            cancellation.ThrowIfCancellationRequested();
            sequence.Prefill(_session, cancellation);
            _active.Add(sequence);
        }
        while (_active.Count > 0)
        {
            StepAll(cancellation);
            _active.RemoveAll(static sequence => sequence.FinishReason is not null);
            foreach (var sequence in _active)
                sequence.ChooseChainCount();
        }
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
        for (var i = 0; i < _batch.Count; i++)
        {
            _batch[i].FullPassCount++;
            _batch[i].AppendSample(_sampler, _session.Logits(i));
        }
        _batch.Clear();
    }
}
