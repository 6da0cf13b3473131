using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Generation on the CPU: prompts in chunks, fewer tokens as rows, each with all weights read once.</summary>
/// <typeparam name="T">The type of norms, features and cache; the weights' is their own affair.</typeparam>
internal sealed unsafe class CpuSession<T> : DecodingSession
    where T : struct, IElement
{
    /// <summary>Tokens of a prompt that are worked on at once; what its features take does not grow beyond it.</summary>
    public const int MostTokensAtOnce = 1024;

    private readonly InferenceEngine _engine;
    private readonly Lifetime.Use? _engineUse;
    private readonly SlotBuffers _slots;
    private readonly RowWalk<T> _rows;
    private ChunkWalk<T>? _chunks;

    /// <param name="use">A model in type <typeparamref name="T"/>, and a cache of its architecture.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public CpuSession(SessionUse use, bool mayGrow) : base(use, T.Type, mayGrow)
    {
        try
        {
            _engineUse = InferenceEngine.Enter(use.Model, out _engine);
            _slots = new SlotBuffers(_engine.Weights, SlotCount, _engine.Team.Count);
            _rows = new RowWalk<T>(_engine, Cache, _slots, Lengths);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    protected override int ChunkLength => MostTokensAtOnce;

    // Of few tokens, reading the weights takes longer than multiplying them, which rows do at memory's speed.
    protected override int FewTokens => SlotCount;

    public override ReadOnlySpan<float> Logits(int slot) => _rows.Logits(slot);

    protected override void Free()
    {
        _chunks?.Dispose();
        _rows?.Dispose();
        _slots?.Dispose();
        _engineUse?.Dispose();
    }

    protected override void RunRows(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        using var pass = _engine.Begin();
        _rows.Run(rows, firstSlot, chains, needsLogits);
        if (History is not null)
            Keep(History, rows, firstSlot, chains);
    }

    protected override void RunChunk(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        if (_chunks is null || _chunks.Rows < tokens.Length)
        {
            _chunks?.Dispose();
            _chunks = null;
            _chunks = new ChunkWalk<T>(_engine, Cache, Lengths, History, tokens.Length);
        }
        using var pass = _engine.Begin();
        _chunks.Run(sequence, start, tokens, chains);
    }

    /// <summary>Copies what chains computed for rows to where chains that are computed later look for it.</summary>
    private void Keep(FeatureStore history, ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            foreach (var site in FeatureStore.Sites)
            {
                var offsets = FeatureStore.OffsetsOf(Columns, site);
                var slots = (float*)_slots[layer, site];
                var (kept, column) = (TensorMemory.Address(history[layer, site]), offsets[chains.First]);
                for (var i = 0; i < rows.Length; i++)
                {
                    RowKernels.Narrow<T>(slots + (long)(firstSlot + i) * offsets[^1] + column, (void*)kept,
                        history.Row(rows[i].Sequence, rows[i].Position) * offsets[^1] + column,
                        offsets[chains.End] - column);
                }
            }
        }
    }
}
