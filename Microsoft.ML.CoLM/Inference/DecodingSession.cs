using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A session that caches keys and values: what is the same whatever computes them.</summary>
internal abstract class DecodingSession : IDecodingSession
{
    private readonly SessionUse _use;
    private readonly SessionLedger _ledger;
    private int _ended;

    /// <param name="use">The session's model and cache, which it ends with; disposed where this throws.</param>
    /// <param name="dtype">The features' type.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    protected DecodingSession(SessionUse use, ScalarType dtype, bool mayGrow)
    {
        _use = use;
        Cache = use.Cache;
        try
        {
            Columns = new FeatureLayout(Config);
            Lengths = new RotaryLengths(Config, Cache.SequenceCount);
            if (mayGrow && !Config.KvSharing)
            {
                History = new FeatureStore(Config, Columns, Cache.Capacity, keepsLayers: true, dtype, Cache.Device,
                    Cache.SequenceCount);
            }
            _ledger = new SessionLedger(Cache, Config, canGrow: History is not null);
        }
        catch
        {
            use.Dispose();
            throw;
        }
    }

    public int SlotCount => 16;

    public IReadOnlyList<long> KeyValuesComputed => _ledger.KeyValuesComputed;

    public IReadOnlyList<long> FeaturesComputed => _ledger.FeaturesComputed;

    protected KvCache Cache { get; }

    protected CoLMConfig Config => _use.Model.Config;

    protected FeatureLayout Columns { get; }

    protected RotaryLengths Lengths { get; }

    /// <summary>Features of all tokens, that later chains can be computed from; null where none will be.</summary>
    protected FeatureStore? History { get; }

    /// <summary>Tokens of a prompt that are worked on at once.</summary>
    protected abstract int ChunkLength { get; }

    /// <summary>A prompt's last tokens, where they are no more than these, are run as rows; 0 for never.</summary>
    protected abstract int FewTokens { get; }

    /// <summary>A session with a cache of its own, that suits the model's device and type.</summary>
    /// <param name="model">The model.</param>
    /// <param name="sequenceCount">Sequences that it holds.</param>
    /// <param name="capacity">Tokens that each of them may have; their memory is taken when they are there.</param>
    /// <param name="mayGrow">Whether tokens may be run through few chains first and through more later.</param>
    public static IDecodingSession Create(CoLMModel model, int sequenceCount, int capacity, bool mayGrow = false)
    {
        var cache = KvCache.Growing(model, capacity, sequenceCount);
        try
        {
            return Create(model, cache, ownsCache: true, mayGrow);
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>A session that goes on from a cache.</summary>
    /// <param name="model">The model.</param>
    /// <param name="cache">A cache of the model's architecture.</param>
    /// <param name="ownsCache">Whether the cache is disposed with the session.</param>
    /// <param name="mayGrow">Whether tokens may be run through few chains first and through more later.</param>
    public static IDecodingSession Create(CoLMModel model, KvCache cache, bool ownsCache, bool mayGrow)
    {
        var use = new SessionUse(model, cache, ownsCache);
        return cache switch
        {
            { IsBlocked: false } => new ModuleSession(use, mayGrow),
            { DataType: ScalarType.Float32 } => new CpuSession<Float32Element>(use, mayGrow),
            _ => new CpuSession<BFloat16Element>(use, mayGrow),
        };
    }

    public int Length(int sequence) => Cache.Length(sequence);

    public void Prefill(
        int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default)
    {
        var begin = Cache.Length(sequence);
        Lengths.Set(sequence, begin, tokens.Length, length ?? begin + tokens.Length);
        var chains = new ChainRange(0, Config.KvSharing ? 1 : chainCount);
        Reserve(begin + tokens.Length);
        while (!tokens.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            _use.Check();
            var start = Cache.Length(sequence);
            var chunk = tokens[..Math.Min(tokens.Length, ChunkLength)];
            tokens = tokens[chunk.Length..];
            if (chunk.Length <= FewTokens)
            {
                Append([.. chunk.ToArray().Select((token, i) => new DecodingRow(sequence, start + i, token))],
                    firstSlot: 0, chains, needsLogits: false);
                continue;
            }
            RunChunk(sequence, start, chunk, chains);
            _ledger.Count(sequence, start, chunk.Length, chains);
            foreach (var token in chunk)
                Cache.Append(sequence, token);
        }
    }

    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        _use.Check();
        foreach (var row in chains.First == 0 ? rows : [])
            Lengths.Set(row.Sequence, row.Position, 1, row.Position + 1);
        Append(rows, firstSlot, chains, needsLogits: true);
    }

    public abstract ReadOnlySpan<float> Logits(int slot);

    public virtual bool TryFindLargest(int firstSlot, Span<LargestLogit> found) => false;

    public virtual bool TryFindCandidates(int firstSlot, int slotCount, int count, int blockLength, LogitCandidates found) => false;

    public void Trim(int sequence, int length) => Cache.Forget(length, sequence);

    public void Grow(int sequence, int chainCount)
    {
        foreach (var (chains, start) in _ledger.Missing(sequence, chainCount))
        {
            int[] tokens = [.. Cache.Tokens(sequence).Skip(start)];
            for (var done = 0; done < tokens.Length; done += ChunkLength)
            {
                var chunk = tokens.AsSpan(done, Math.Min(ChunkLength, tokens.Length - done));
                RunChunk(sequence, start + done, chunk, chains);
                _ledger.Count(sequence, start + done, chunk.Length, chains);
            }
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        Free();
        History?.Dispose();
        _use.Dispose();
    }

    /// <summary>Frees what the session has of its own; where its constructor failed, some of it is not there.</summary>
    protected abstract void Free();

    /// <summary>Computes the logits of rows, and keys, values and the history; the cache has room for them.</summary>
    /// <param name="rows">As in <see cref="Run"/>.</param>
    /// <param name="firstSlot">The first row's slot.</param>
    /// <param name="chains">The chains to compute.</param>
    /// <param name="needsLogits">Whether more is wanted than keys and values.</param>
    protected abstract void RunRows(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits);

    /// <summary>Computes keys, values and the history of a chunk of a sequence; the cache has room for it.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="start">Position of the first token.</param>
    /// <param name="tokens">At most <see cref="ChunkLength"/> ids.</param>
    /// <param name="chains">The chains; those before them must be in the history.</param>
    protected abstract void RunChunk(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains);

    private void Append(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        foreach (var row in rows)
            Reserve(row.Position + 1);
        RunRows(rows, firstSlot, chains, needsLogits);
        foreach (var row in rows)
        {
            if (chains.First == 0)
                Cache.Append(row.Sequence, row.Token);
            _ledger.Count(row.Sequence, row.Position, 1, chains);
        }
    }

    /// <summary>The cache's tensors are about to be replaced by larger ones.</summary>
    protected virtual void ReleaseCache()
    {
    }

    private void Reserve(int length)
    {
        if (length > Cache.Capacity)
            ReleaseCache();
        Cache.Reserve(length);
        History?.Reserve(Cache.Capacity);
    }
}
