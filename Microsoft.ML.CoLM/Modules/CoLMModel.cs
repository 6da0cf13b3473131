using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// A LLaMA-style decoder made of Chain-of-Layers (arXiv 2505.11820): chains 1..k are a complete model for every k, all from one
/// set of weights.
/// </summary>
/// <remarks>
/// Parameters are named as in Hugging Face's models, with one per chain in place of <c>weight</c>, for example
/// <c>layers.0.self_attn.q_proj.chain_1</c>; a tuned model's adapters and task head follow as <c>adapters</c> and
/// <c>task_head</c>, in float32 even if the model is converted to another type. Several threads may score with a model at once.
/// Moving or converting it (<c>to</c>) while it is in use throws an <see cref="InvalidOperationException"/>. Dispose it to free
/// its weights: operations in progress complete or throw an <see cref="ObjectDisposedException"/>, and the memory is freed
/// after that.
/// </remarks>
public sealed partial class CoLMModel : nn.Module<Tensor, int, Tensor>
{
    // A GPU needs this many times more work at once.
    private const int GpuBlocks = 8;

    private readonly ChainEmbedding _embedding;
    private readonly DecoderLayer[] _layers;
    private readonly ChainRmsNorm _norm;
    private readonly ChainHead _head;
    private readonly Lifetime _lifetime;
    private LowRankAdapters? _adapters;
    private TunedTask? _task;

    /// <summary>Creates a model whose parameters have no values yet.</summary>
    internal CoLMModel(CoLMConfig config, Device device, ScalarType dtype) : base(NameOfLoaded())
    {
        Config = config.Validated();
        _lifetime = new Lifetime(this, Free);
        register_module("embed_tokens", _embedding = new ChainEmbedding(config, device, dtype));
        _layers = [.. Enumerable.Range(0, config.LayerCount)
            .Select(layer => new DecoderLayer(config, layer, device, dtype))];
        register_module("layers", nn.ModuleList(_layers));
        register_module("norm", _norm = new ChainRmsNorm(config, device, dtype));
        register_module("lm_head", _head = new ChainHead(config, _embedding, device, dtype));
        Rotary = new RotaryEmbedding(config);
    }

    // Not in a static constructor, which would wrap the exception.
    private static string NameOfLoaded()
    {
        TorchLibrary.EnsureLoaded();
        return nameof(CoLMModel);
    }

    /// <summary>The model's architecture.</summary>
    public CoLMConfig Config { get; }

    /// <summary>The device of the weights.</summary>
    public Device Device => _norm.Weight(0).device;

    /// <summary>
    /// The number of tokens of one sequence that go through a layer at once when no gradients are needed: for a longer one,
    /// only the features between two layers and one layer's keys and values are ever in memory as a whole. Eight times as many
    /// on a GPU.
    /// </summary>
    internal int BlockLength { get; set; } = 2048;

    /// <summary><see cref="BlockLength"/> on the model's device.</summary>
    internal long TokensAtOnce => Device.type == DeviceType.CPU ? BlockLength : (long)BlockLength * GpuBlocks;

    internal RotaryEmbedding Rotary { get; }

    internal ChainEmbedding Embedding => _embedding;

    internal IReadOnlyList<DecoderLayer> Layers => _layers;

    internal ChainRmsNorm Norm => _norm;

    internal ChainHead Head => _head;

    /// <summary>
    /// The adapters added to the weights of the later chains, or null; set once, and disposed with the model.
    /// </summary>
    internal LowRankAdapters? Adapters
    {
        get => _adapters;
        set
        {
            _adapters = value;
            if (value is not null)
                register_module(ParameterName.Adapters, value);
        }
    }

    /// <summary>
    /// The task that the model was tuned for, or null; set once. Its head is part of the model: it moves to other devices and
    /// is disposed with it.
    /// </summary>
    internal TunedTask? Task
    {
        get => _task;
        set
        {
            _task = value;
            if (value?.Head is { } head)
                register_module(ParameterName.TaskHead, head);
        }
    }

    /// <summary>
    /// What came with the weights and is stored with them; a model that is grown from this one, or shares its weights, has the
    /// same. Not interpreted here.
    /// </summary>
    internal object? Companions { get; set; }

    /// <summary>The parameters of the chains: all but those of adapters and of a task head.</summary>
    internal IEnumerable<(string name, TorchSharp.Modules.Parameter parameter)> ChainParameters() =>
        named_parameters().Where(entry => ParameterName.IsOfChains(entry.name));

    /// <summary>The layers of the chains' weights, all but adapters and a task's head, with their names.</summary>
    internal IEnumerable<(string Name, ChainModule Module)> ChainModules() =>
    [
        ("embed_tokens", _embedding),
        .. _layers.SelectMany((layer, i) => layer.ChainModules().Select(entry =>
            (FormattableString.Invariant($"layers.{i}.{entry.Name}"), entry.Module))),
        ("norm", _norm), ("lm_head", _head),
    ];

    /// <summary>The type that the model computes in, which is that of its chains' weights where they are not quantised.</summary>
    public ScalarType DataType => _norm.Weight(0).dtype;

    /// <summary>
    /// Returns the number of parameters of the first chains, which is the size of a model of that many chains.
    /// </summary>
    /// <param name="chainCount">The number of chains.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public long ParameterCount(int chainCount)
    {
        using var use = Enter();
        Config.Layout.CheckChainCount(chainCount);
        return ChainModules().Sum(entry =>
            Enumerable.Range(0, Math.Min(chainCount, entry.Module.ChainCount)).Sum(entry.Module.WeightCount));
    }

    /// <summary>The bytes of the first chains' weights.</summary>
    internal long SizeInBytes(int chainCount) => ChainParameters()
        .Where(entry => ParameterName.Parse(entry.name).Chain < chainCount)
        .Sum(entry => entry.parameter.numel() * entry.parameter.ElementSize);

    /// <summary>Computes the logits of the next token at every position from the first chains alone.</summary>
    /// <param name="tokenIds">[batch, length], Int64, on the model's device.</param>
    /// <param name="chainCount">The number of chains to use; the weights of later ones are not read.</param>
    /// <returns>[batch, length, vocabulary], in the model's type; the caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ArgumentException">
    /// The ids are not [batch, length] of Int64, exceed the model's context (allowed only here, with
    /// <see cref="DynamicRopeScaling"/>), or are outside its vocabulary.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public override Tensor forward(Tensor tokenIds, int chainCount)
    {
        using var use = Enter();
        CheckIds(tokenIds);
        Config.Layout.CheckChainCount(chainCount);
        using var scope = NewDisposeScope();
        var chains = new ChainRange(0, chainCount);
        var logits = _head.forward(Features(tokenIds, chains), chains, earlier: null);
        return logits.view(tokenIds.size(0), tokenIds.size(1), Config.VocabularySize).MoveToOuterDisposeScope();
    }

    /// <summary>The normalised features that the head reads, of one range of chains.</summary>
    /// <param name="tokenIds">[batch, length], checked.</param>
    /// <param name="chains">The chains to compute.</param>
    /// <param name="earlier">Features of all chains before them, from a pass over the same ids; null for none.</param>
    /// <param name="kept">Where to keep this pass's features; null to keep none.</param>
    /// <param name="lengths">The number of tokens of each sequence without padding; null if there is none.</param>
    /// <returns>[batch · length, width of the chains].</returns>
    internal Tensor Features(
        Tensor tokenIds, ChainRange chains, ChainFeatures? earlier = null, ChainFeatures? kept = null,
        IReadOnlyList<int>? lengths = null)
    {
        using var scope = NewDisposeScope();
        return Walk(tokenIds.reshape(-1), Pass(tokenIds, chains, earlier, kept, cache: null, lengths)).MoveToOuterDisposeScope();
    }

    /// <summary>The normalised features that the head reads, of the first chains, where sequences are trees.</summary>
    /// <param name="trees">Their tokens, checked.</param>
    /// <param name="chainCount">How many chains.</param>
    /// <returns>[trees · length, width of the chains].</returns>
    internal Tensor TreeFeatures(TreeBatch trees, int chainCount)
    {
        using var scope = NewDisposeScope();
        var (cosine, sine) = Rotary.Angles(0, trees.PositionCount, Device, DataType);
        var pass = new ForwardPass(new ChainRange(0, chainCount), trees.Count, trees.Length, OfTokens(cosine), OfTokens(sine),
            Earlier: null, Kept: null, Cache: null, Adapters, Trees: trees);
        return Walk(trees.TokenIds(Device), pass).MoveToOuterDisposeScope();

        // A single tree's are those of any sequence's tokens, which a walk in blocks divides.
        Tensor OfTokens(Tensor angles)
        {
            var chosen = angles.index_select(0, trees.Positions(Device));
            return trees.Count == 1 ? chosen : chosen.view(trees.Count, 1, 1, trees.Length, -1);
        }
    }

    private Tensor Walk(Tensor tokenIds, ForwardPass pass)
    {
        var x = _embedding.forward(tokenIds, pass.Chains, DataType);
        if (pass.CanBeDivided && pass.Length > TokensAtOnce)
        {
            WalkInBlocks(x, pass, TokensAtOnce);
            return x;
        }
        foreach (var layer in _layers)
        {
            var next = layer.forward(x, pass);
            x.Dispose();
            x = next;
        }
        return _norm.forward(x, pass.Chains);
    }

    /// <summary>Replaces the embeddings by the layers' output, layer by layer and block by block.</summary>
    private void WalkInBlocks(Tensor x, ForwardPass pass, long block)
    {
        using var cache = new LayerCache(Config, pass, x.dtype, x.device);
        for (var layer = 0; layer < _layers.Length; layer++)
        {
            for (long start = 0; start < pass.Length; start += block)
            {
                using var scope = NewDisposeScope();
                var rows = x.narrow(0, start, Math.Min(block, pass.Length - start));
                using var kept = pass.Kept?.Part(start, rows.size(0));
                cache.Start = start;
                rows.copy_(_layers[layer].forward(rows, pass.Block(start, rows.size(0), cache, kept)));
                if (kept is not null)
                    pass.Kept!.AppendRows(layer, kept);
            }
            if (Config.KvSharing && pass.Kept is not null)
                cache.CopyTo(pass.Kept, layer);
        }
        for (long start = 0; start < pass.Length; start += block)
        {
            using var scope = NewDisposeScope();
            var rows = x.narrow(0, start, Math.Min(block, pass.Length - start));
            rows.copy_(_norm.forward(rows, pass.Chains));
        }
    }

    /// <summary>
    /// The normalised features of later chains at the last token of each sequence: with KV sharing these chains read no
    /// other token of their own, so none is computed.
    /// </summary>
    /// <param name="batch">The sequences.</param>
    /// <param name="chains">The chains to compute, behind the first.</param>
    /// <param name="earlier">Features of all chains before them, of the last tokens, with all keys and values.</param>
    /// <param name="kept">Where to keep this pass's features for chains behind these; null to keep none.</param>
    /// <returns>[sequences, width of the chains].</returns>
    internal Tensor LastFeatures(
        PaddedBatch batch, ChainRange chains, ChainFeatures earlier, ChainFeatures? kept = null)
    {
        using var scope = NewDisposeScope();
        var (ids, mask) = (batch.LastTokenIds(Device), batch.KeyMask(Config.KeyValueHeads(0), Device));
        var (cosine, sine) = Rotary.AnglesOf(batch.Length, batch.Lengths, Device, DataType);
        var pass = new ForwardPass(chains, batch.Count, 1, OfLast(cosine), OfLast(sine), earlier, kept, Cache: null,
            Adapters, mask);
        return Walk(ids, pass).MoveToOuterDisposeScope();

        Tensor OfLast(Tensor angles)
        {
            var chosen = angles.dim() == 2
                ? angles.index_select(0, batch.LastPositions(Device))
                : angles.view(-1, angles.size(-1)).index_select(0, batch.LastRows(Device));
            return chosen.view(batch.Count, 1, 1, 1, -1);
        }
    }

    /// <summary>Caches the keys and values of a range of chains; parameters as in <see cref="Features"/>.</summary>
    internal void FillCache(
        Tensor tokenIds, ChainRange chains, ChainFeatures? earlier, ChainFeatures? kept, IKeyValueCache cache)
    {
        using var scope = NewDisposeScope();
        var pass = Pass(tokenIds, chains, earlier, kept, cache, lengths: null);
        var x = _embedding.forward(tokenIds.reshape(-1), chains, DataType);
        foreach (var layer in _layers.SkipLast(1))
        {
            var next = layer.forward(x, pass);
            x.Dispose();
            x = next;
        }
        _layers[^1].CacheKeysAndValues(x, pass);
    }

    /// <summary>The features of the first chains, computed without gradients and kept for the chains after them.</summary>
    /// <param name="tokenIds">[batch, length], checked.</param>
    /// <param name="chainCount">How many chains, at least 1.</param>
    /// <param name="lengths">The number of tokens of each sequence without padding; null if there is none.</param>
    internal ChainFeatures Prefix(Tensor tokenIds, int chainCount, IReadOnlyList<int>? lengths = null)
    {
        using var noGradients = no_grad();
        return Keep(tokenIds, chainCount, rows: null, lengths);
    }

    /// <summary>The features of the first chains, with gradients if they are enabled, kept for the chains after them.</summary>
    /// <param name="tokenIds">[batch, length], checked.</param>
    /// <param name="chainCount">How many chains, at least 1.</param>
    /// <param name="rows">[kept], Int64: the rows to keep, all keys and values beside them; null for all.</param>
    /// <param name="lengths">The number of tokens of each sequence without padding; null if there is none.</param>
    internal ChainFeatures Keep(Tensor tokenIds, int chainCount, Tensor? rows, IReadOnlyList<int>? lengths = null)
    {
        var kept = new ChainFeatures(Config.LayerCount, rows);
        using var features = Features(tokenIds, new ChainRange(0, chainCount), kept: kept, lengths: lengths);
        kept.KeepHeadInput(features);
        return kept;
    }

    /// <summary>Every parameter once, by the name that <c>named_parameters</c> gives it.</summary>
    /// <remarks>TorchSharp's own walk also adds parameters by names that leave out the modules above them.</remarks>
    public override Dictionary<string, Tensor> state_dict(
        Dictionary<string, Tensor>? destination = null, string? prefix = null)
    {
        using var use = Enter();
        destination ??= [];
        foreach (var (name, parameter) in named_parameters())
            destination.TryAdd(string.IsNullOrEmpty(prefix) ? name : $"{prefix}.{name}", parameter);
        return destination;
    }

    private ForwardPass Pass(
        Tensor tokenIds, ChainRange chains, ChainFeatures? earlier, ChainFeatures? kept, IKeyValueCache? cache,
        IReadOnlyList<int>? lengths)
    {
        var length = tokenIds.size(1);
        var (cosine, sine) = (cache, lengths) switch
        {
            ({ Lengths: { } ofTokens }, _) => Rotary.Angles(cache.Start, ofTokens, tokenIds.device, DataType),
            (null, { } own) => Rotary.AnglesOf(length, own, tokenIds.device, DataType),
            _ => Rotary.Angles(cache?.Start ?? 0, length, tokenIds.device, DataType),
        };
        return new(chains, tokenIds.size(0), tokenIds.size(1), cosine, sine, earlier, kept, cache, Adapters);
    }

    /// <summary>Begins a use: until it is disposed, the model's memory is not freed.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    internal Lifetime.Use Enter() => _lifetime.Enter();

    internal void CheckUsable() => _lifetime.Check();

    internal void CheckIds(Tensor tokenIds)
    {
        CheckUsable();
        ArgumentNullException.ThrowIfNull(tokenIds);
        if (tokenIds.dim() != 2 || tokenIds.dtype != int64 || tokenIds.numel() == 0)
        {
            throw new ArgumentException("Token ids must be [batch, length] of Int64 with at least one token, found " +
                $"[{string.Join(", ", tokenIds.shape)}] of {tokenIds.dtype}.", nameof(tokenIds));
        }
        // Its angles are made for a sequence of any length.
        if (tokenIds.size(1) > Config.ContextLength && Config.RopeScaling is not DynamicRopeScaling)
        {
            throw new ArgumentException($"A sequence of {tokenIds.size(1)} tokens is longer than the model's context " +
                $"of {Config.ContextLength}.", nameof(tokenIds));
        }
        using var scope = NewDisposeScope();
        Config.CheckTokenId(tokenIds.min().ToInt64(), nameof(tokenIds));
        Config.CheckTokenId(tokenIds.max().ToInt64(), nameof(tokenIds));
    }

    /// <inheritdoc/>
    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        using var use = _lifetime.EnterAlone();
        return base._to(device, dtype, non_blocking);
    }

    /// <inheritdoc/>
    protected override nn.Module _to(ScalarType dtype, bool non_blocking)
    {
        using var use = _lifetime.EnterAlone();
        return base._to(dtype, non_blocking);
    }

    /// <inheritdoc/>
    /// <remarks>TorchSharp assumes that modules begin on the CPU, and would not move those that begin elsewhere.</remarks>
    protected override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking) =>
        _to(new Device(deviceType, deviceIndex), DataType, non_blocking);

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        ForgetDerived();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _lifetime.Dispose();
        else
            base.Dispose(disposing: false);
    }

    private void Free()
    {
        ForgetDerived();
        base.Dispose(disposing: true);
    }
}
