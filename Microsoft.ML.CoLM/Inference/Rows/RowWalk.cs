using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// The decoder for a few rows on the CPU: every weight is read once, in place, by threads that go through the layers in
/// lockstep, without a call into libtorch. Where they would wait for each other longer than they work, the caller does it
/// alone.
/// </summary>
/// <typeparam name="T">The type of norms and cache; features are float32.</typeparam>
internal sealed unsafe class RowWalk<T> : IDisposable
    where T : struct, IElement
{
    private readonly InferenceEngine _engine;
    private readonly InferenceWeights _weights;
    private readonly WorkerTeam _alone = new(1);
    private readonly SlotBuffers _slots;
    private readonly RowAttention<T> _attention;
    private readonly Action<int> _walk;
    private readonly DecodingRow[] _rows;
    private WorkerTeam _team;
    private RangePlan _plan = null!;
    private int[] _counters = [];
    private int _firstSlot;
    private int _count;
    private bool _needsLogits;

    public RowWalk(InferenceEngine engine, KvCache cache, SlotBuffers slots, RotaryLengths lengths)
    {
        (_engine, _weights, _team, _slots) = (engine, engine.Weights, engine.Team, slots);
        _attention = new RowAttention<T>(_weights, cache, slots, lengths, _team.Count);
        _walk = Walk;
        _rows = new DecodingRow[slots.Slots];
    }

    /// <summary>Runs a range of chains for rows in neighbouring slots, and caches their keys and values.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="firstSlot">The first row's slot.</param>
    /// <param name="chains">The chains.</param>
    /// <param name="needsLogits">Whether more is wanted than keys and values.</param>
    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        (_firstSlot, _count, _needsLogits) = (firstSlot, rows.Length, needsLogits);
        rows.CopyTo(_rows);
        _plan = _engine.Plan(chains, _engine.Team.Count);
        _team = _engine.Team;
        if (_engine.IsBusy || _plan.SuitsOneThread(rows, needsLogits))
            (_plan, _team) = (_engine.Plan(chains, threads: 1), _alone);
        Array.Resize(ref _counters, Math.Max(_counters.Length, _plan.CounterCount));
        Array.Clear(_counters);
        _attention.Begin(_plan, new ReadOnlySpan<DecodingRow>(_rows, 0, _count), _firstSlot);
        _team.Run(_walk);
    }

    public ReadOnlySpan<float> Logits(int slot) => new(SlotBuffers.Slot(_slots.Logits, slot, _slots.Vocabulary), _slots.Vocabulary);

    public void Dispose()
    {
        _attention.Dispose();
        _alone.Dispose();
    }

    private void Walk(int thread)
    {
        Embed(thread);
        _team.Synchronise();
        for (var layer = 0; layer < _plan.Layers.Length; layer++)
        {
            var (plan, weights) = (_plan.Layers[layer], _weights.Layers[layer]);
            Normalise(thread, weights.AttentionNorm, _slots.AttentionInput[layer]);
            Multiply(thread, plan.QueryKeyValue, _slots.Normed[thread]);
            _team.Synchronise();
            _attention.Attend(_team, thread, layer);
            // The last keys and values are cached; nobody reads what comes after them.
            if (!_needsLogits && layer == _plan.Layers.Length - 1)
                return;
            _team.Synchronise();
            Multiply(thread, plan.Output, _slots.AttentionOutput[layer]);
            _team.Synchronise();
            Normalise(thread, weights.FeedForwardNorm, _slots.FeedForwardInput[layer]);
            Activate(thread, plan.GateUp, _slots.FeedForwardHidden[layer]);
            _team.Synchronise();
            Multiply(thread, plan.Down, _slots.FeedForwardHidden[layer]);
            _team.Synchronise();
        }
        Normalise(thread, _weights.Norm, kept: null);
        Multiply(thread, _plan.Head, _slots.Normed[thread]);
    }

    private void Multiply(int thread, GemvTasks tasks, nint input)
    {
        while (tasks.TryTake(_counters.AsSpan(tasks.FirstCounter), thread, out var task))
        {
            foreach (var piece in task)
                piece.Compute(input, _slots, _firstSlot, _count);
        }
    }

    private void Embed(int thread)
    {
        var (first, end) = _team.Share(thread, _count);
        for (var row = first; row < end; row++)
        {
            var residual = SlotBuffers.Slot(_slots.Residual, _firstSlot + row, _slots.Hidden);
            for (var chain = _plan.Chains.First; chain < _plan.Chains.End; chain++)
            {
                _weights.Embedding[chain].Widen(_rows[row].Token, residual + _weights.Columns.Hidden[chain]);
            }
            _attention.Place(row);
        }
    }

    /// <summary>Normalises the residual for the products of this thread: sooner done by each than waited for.</summary>
    /// <param name="thread">The thread.</param>
    /// <param name="norms">Weights of each chain.</param>
    /// <param name="kept">Where chains that are run later find it, and what earlier ones left; null if they need none.</param>
    private void Normalise(int thread, NormWeight[] norms, nint? kept)
    {
        var (chains, columns) = (_plan.Chains, _weights.Columns.Hidden);
        var (before, width) = (columns[chains.First], columns[chains.End] - columns[chains.First]);
        for (var slot = _firstSlot; slot < _firstSlot + _count; slot++)
        {
            var residual = SlotBuffers.Slot(_slots.Residual, slot, _slots.Hidden);
            var normed = SlotBuffers.Slot(_slots.Normed[thread], slot, _slots.Hidden);
            for (var chain = chains.First; chain < chains.End; chain++)
            {
                RowKernels.Normalise<T, Float32Element>(residual + columns[chain], (void*)norms[chain].Address,
                    normed + columns[chain], norms[chain].Width, (float)_weights.Config.RmsNormEpsilon);
            }
            if (kept is not { } features)
                continue;
            var row = SlotBuffers.Slot(features, slot, _slots.Hidden);
            new ReadOnlySpan<float>(row, before).CopyTo(new Span<float>(normed, before));
            if (thread == 0)
                new ReadOnlySpan<float>(normed + before, width).CopyTo(new Span<float>(row + before, width));
        }
    }

    // The same outputs of gate and up by one thread, so that none waits for another between them.
    private void Activate(int thread, GemvTasks tasks, nint hidden)
    {
        while (tasks.TryTake(_counters.AsSpan(tasks.FirstCounter), thread, out var task))
        {
            foreach (var piece in task)
                piece.Compute(_slots.Normed[thread], _slots, _firstSlot, _count);
            for (var i = 0; i < task.Length; i += 2)
            {
                var offset = task[i].YColumn + task[i].First;
                for (var slot = _firstSlot; slot < _firstSlot + _count; slot++)
                {
                    RowKernels.SwiGlu<Float32Element, Float32Element>(
                        SlotBuffers.Slot(_slots.Gate, slot, _slots.Intermediate) + offset,
                        SlotBuffers.Slot(_slots.Up, slot, _slots.Intermediate) + offset,
                        SlotBuffers.Slot(hidden, slot, _slots.Intermediate) + offset, task[i].End - task[i].First);
                }
            }
        }
    }
}
