using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>
/// The decoding session to compare with: it runs the whole model over the whole sequence for every row, holds callers
/// to the contract, and counts what a real one would have to compute.
/// </summary>
internal sealed class ForwardSession : IDecodingSession
{
    private readonly CoLMModel _model;
    private readonly int _capacity;
    private readonly bool _mayGrow;
    private readonly List<int>[] _tokens;
    private readonly List<int>[] _chains;
    private readonly (DecodingRow Row, int End, float[]? Logits)[] _slots;
    private readonly long[] _keyValues;
    private readonly long[] _features;
    private readonly ConcurrentDictionary<string, float[]>? _known;

    /// <param name="model">The model.</param>
    /// <param name="sequenceCount">Sequences.</param>
    /// <param name="capacity">Tokens of each.</param>
    /// <param name="mayGrow">Whether it may be asked to grow.</param>
    /// <param name="slotCount">Rows at once.</param>
    /// <param name="known">Logits that were computed before; the same ones are not computed again.</param>
    public ForwardSession(
        CoLMModel model, int sequenceCount, int capacity, bool mayGrow, int slotCount = 16,
        ConcurrentDictionary<string, float[]>? known = null)
    {
        Assert.IsGreaterThanOrEqualTo(1, sequenceCount);
        Assert.IsLessThanOrEqualTo(model.Config.ContextLength, capacity);
        _model = model;
        _capacity = capacity;
        _mayGrow = mayGrow;
        _tokens = [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())];
        _chains = [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())];
        _slots = new (DecodingRow, int, float[]?)[slotCount];
        _keyValues = new long[model.Config.ChainCount];
        _features = new long[model.Config.ChainCount];
        _known = known;
    }

    public int SlotCount => _slots.Length;

    public IReadOnlyList<long> KeyValuesComputed => _keyValues;

    public IReadOnlyList<long> FeaturesComputed => _features;

    public bool IsDisposed { get; private set; }

    /// <summary>The rows of every pass.</summary>
    public List<(DecodingRow[] Rows, ChainRange Chains)> Passes { get; } = [];

    /// <summary>The lengths of what was prefilled.</summary>
    public List<int> Prefills { get; } = [];

    /// <summary>Called before every pass and prefill.</summary>
    public Action? OnPass { get; set; }

    public static IDecodingSession Create(CoLMModel model, int sequenceCount, int capacity, bool mayGrow) =>
        new ForwardSession(model, sequenceCount, capacity, mayGrow);

    public int Length(int sequence) => _tokens[sequence].Count;

    public void Prefill(
        int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default)
    {
        OnPass?.Invoke();
        cancellation.ThrowIfCancellationRequested();
        Assert.IsFalse(tokens.IsEmpty);
        CheckCached(sequence, Length(sequence), chainCount);
        Prefills.Add(tokens.Length);
        var computed = _model.Config.KvSharing ? 1 : chainCount;
        foreach (var token in tokens)
            Append(sequence, token, computed);
        Count(new ChainRange(0, computed), tokens.Length);
    }

    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        OnPass?.Invoke();
        Assert.IsFalse(rows.IsEmpty);
        Assert.IsTrue(chains.First < chains.End && chains.End <= _model.Config.ChainCount, $"{chains}");
        Passes.Add((rows.ToArray(), chains));
        for (var i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            ref var slot = ref _slots[firstSlot + i];
            if (chains.First == 0)
            {
                Assert.AreEqual(Length(row.Sequence), row.Position);
                Append(row.Sequence, row.Token, chains.End);
            }
            else
            {
                Assert.AreEqual((row, chains.First), (slot.Row, slot.End));
                Assert.AreEqual(row.Token, _tokens[row.Sequence][row.Position]);
                _chains[row.Sequence][row.Position] = chains.End;
            }
            CheckCached(row.Sequence, row.Position, chains.End);
            var tokens = _tokens[row.Sequence][..(row.Position + 1)];
            slot = (row, chains.End, Forward(tokens, chains.End));
        }
        Count(chains, rows.Length);
    }

    public ReadOnlySpan<float> Logits(int slot) => _slots[slot].Logits;

    public void Trim(int sequence, int length)
    {
        Assert.IsTrue(length >= 0 && length <= Length(sequence), $"{length} of {Length(sequence)}");
        _tokens[sequence].RemoveRange(length, Length(sequence) - length);
        _chains[sequence].RemoveRange(length, _chains[sequence].Count - length);
    }

    public void Grow(int sequence, int chainCount)
    {
        if (_model.Config.KvSharing)
            return;
        for (var i = 0; i < Length(sequence); i++)
        {
            var chains = _chains[sequence][i];
            if (chains >= chainCount)
                continue;
            Assert.IsTrue(_mayGrow);
            Count(new ChainRange(chains, chainCount), 1);
            _chains[sequence][i] = chainCount;
        }
    }

    public void Dispose() => IsDisposed = true;

    private void Append(int sequence, int token, int chainCount)
    {
        _tokens[sequence].Add(token);
        _chains[sequence].Add(chainCount);
        Assert.IsLessThanOrEqualTo(_capacity, Length(sequence));
    }

    private void CheckCached(int sequence, int length, int chainCount)
    {
        if (!_model.Config.KvSharing)
            Assert.IsTrue(_chains[sequence].Take(length).All(chains => chains >= chainCount), "It had to be grown.");
    }

    private void Count(ChainRange chains, int tokens)
    {
        for (var chain = chains.First; chain < chains.End; chain++)
        {
            _features[chain] += tokens;
            if (chain == 0 || !_model.Config.KvSharing)
                _keyValues[chain] += tokens;
        }
    }

    private float[] Forward(List<int> tokens, int chainCount)
    {
        var key = $"{chainCount}:{string.Join(',', tokens)}";
        if (_known is not null && _known.TryGetValue(key, out var known))
            return known;
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var input = tensor(tokens.Select(id => (long)id).ToArray()).unsqueeze(0);
        var logits = _model.forward(input, chainCount)[0, -1].to(float32).data<float>().ToArray();
        _known?.TryAdd(key, logits);
        return logits;
    }
}
