using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// Causal grouped-query attention in which each chain owns whole heads (the paper's CoLM); with KV sharing all heads
/// read the first chain's keys and values (CoLM-Air).
/// </summary>
internal sealed class ChainAttention : nn.Module
{
    private readonly CoLMConfig _config;
    private readonly int _layer;
    private readonly ChainLinear _query;
    private readonly ChainLinear _key;
    private readonly ChainLinear _value;
    private readonly ChainLinear _output;

    public ChainAttention(CoLMConfig config, int layer, Device device, ScalarType dtype) : base(nameof(ChainAttention))
    {
        (_config, _layer) = (config, layer);
        var chains = Enumerable.Range(0, config.ChainCount);
        var (hidden, queries) = (chains.Select(config.Hidden), chains.Select(config.QueryWidth));
        var keys = chains.Take(config.KeyValueChains)
            .Select(chain => config.KeyValueHeads(chain) * config.HeadWidth);
        register_module("q_proj", _query = new ChainLinear(hidden, queries, device, dtype, config.WeightFormats));
        register_module("k_proj", _key = new ChainLinear(hidden, keys, device, dtype, config.WeightFormats));
        register_module("v_proj", _value = new ChainLinear(hidden, keys, device, dtype, config.WeightFormats));
        register_module("o_proj", _output = new ChainLinear(queries, hidden, device, dtype, config.WeightFormats));
    }

    internal ChainLinear Query => _query;

    internal ChainLinear Key => _key;

    internal ChainLinear Value => _value;

    internal ChainLinear Output => _output;

    /// <param name="x">[rows, D], normalised.</param>
    /// <param name="pass">The walk this is a step of.</param>
    /// <returns>[rows, D].</returns>
    public Tensor forward(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        pass.Keep(_layer, FeatureSite.AttentionInput, x);
        var queries = Queries(x, pass);                     // [batch · KV heads, queries of one KV head, length, d]
        var (keys, values) = KeysAndValues(x, pass);        // [batch · KV heads, 1, length, d]
        var mixed = pass switch
        {
            { Trees: { } trees } => TreeAttention.Apply(queries, keys, values, trees, pass.Cache?.Start ?? 0),
            { Cache: { } cache } => AttentionFunction.Continue(queries, keys, values, cache.Start),
            { KeyMask: { } mask } => AttentionFunction.Masked(queries, keys, values, mask),
            _ => AttentionFunction.Apply(queries, keys, values),
        };
        var heads = HeadsOfChains(mixed, pass);             // [rows, query widths of the range's chains]
        pass.Keep(_layer, FeatureSite.AttentionOutput, heads);
        return pass.Apply(_output, heads, _layer, FeatureSite.AttentionOutput, Projection.Output).MoveToOuterDisposeScope();
    }

    /// <summary>Caches the keys and values that <see cref="forward"/> would, and computes nothing else.</summary>
    public void CacheKeysAndValues(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        pass.Keep(_layer, FeatureSite.AttentionInput, x);
        WriteCache(x, pass);
    }

    // Queries that read one KV head stand together, so that keys and values need no copy for each of them.
    private Tensor Queries(Tensor x, ForwardPass pass)
    {
        // [rows, query widths]
        var flat = pass.Apply(_query, x, _layer, FeatureSite.AttentionInput, Projection.Query);
        if (SplitHeadsFunction.Suits(flat, pass.Cosine))
            return SplitHeadsFunction.Apply(flat, QueryPlaces(pass), pass.Length, pass.Cosine, pass.Sine);
        Tensor grouped;                                     // [batch, length, KV heads, queries of one KV head, d]
        if (_config.KvSharing && pass.Chains.Count > 1)
        {
            List<Tensor> chains = [];
            long start = 0;
            for (var chain = pass.Chains.First; chain < pass.Chains.End; chain++)
            {
                var width = _config.QueryWidth(chain);
                chains.Add(Grouped(flat.narrow(1, start, width), pass));
                start += width;
            }
            grouped = cat(chains, dim: 3);
        }
        else
        {
            grouped = Grouped(flat, pass);
        }
        return Rotated(grouped.permute(0, 2, 3, 1, 4), pass);
    }

    private (Tensor Keys, Tensor Values) KeysAndValues(Tensor x, ForwardPass pass)
    {
        if (pass.Cache is not null)
        {
            WriteCache(x, pass);
            return _config.KvSharing
                ? pass.Cache.Read(_layer, 0, 1)
                : pass.Cache.Read(_layer, pass.Chains.First, pass.Chains.End);
        }
        if (_config.KvSharing && pass.Earlier is { } earlier)
            return (earlier[_layer, FeatureSite.Keys], earlier[_layer, FeatureSite.Values]);

        var (keys, values) = OwnKeysAndValues(x, pass);
        if (_config.KvSharing)
        {
            pass.Keep(_layer, FeatureSite.Keys, keys);
            pass.Keep(_layer, FeatureSite.Values, values);
        }
        return (keys, values);
    }

    // With KV sharing there is something to write in the pass that begins with the first chain.
    private void WriteCache(Tensor x, ForwardPass pass)
    {
        if (_config.KvSharing && pass.Chains.First > 0)
            return;
        var (keys, values) = OwnKeysAndValues(x, pass);
        pass.Cache!.Write(_layer, pass.Chains.First, keys, values);
    }

    private (Tensor Keys, Tensor Values) OwnKeysAndValues(Tensor x, ForwardPass pass)
    {
        var (input, chains) = (x, pass.Chains);
        if (_config.KvSharing)
            (input, chains) = (x.narrow(1, 0, _config.HiddenSize), new ChainRange(0, 1));
        var before = pass.Earlier?[_layer, FeatureSite.AttentionInput];
        var (keys, values) = (Projected(_key, Projection.Key), Projected(_value, Projection.Value));
        if (SplitHeadsFunction.Suits(keys, pass.Cosine))
        {
            var places = new HeadPlaces(KeyValueHeads(chains), 1, _config.HeadWidth, Columns(KeyValueHeads(chains)));
            return (SplitHeadsFunction.Apply(keys, places, pass.Length, pass.Cosine, pass.Sine),
                SplitHeadsFunction.Apply(values, places, pass.Length));
        }
        keys = Rotated(Heads(keys, pass), pass);
        return (keys, Heads(values, pass).reshape(keys.shape));

        Tensor Projected(ChainLinear linear, Projection projection) =>
            pass.Apply(linear, input, chains, before, _layer, projection);
    }

    // The inverse of Queries' grouping: heads of each chain beside each other, as its output projection reads them.
    private Tensor HeadsOfChains(Tensor mixed, ForwardPass pass)
    {
        if (HeadsKernel.Suits(mixed))
            return JoinHeadsFunction.Apply(mixed, QueryPlaces(pass));
        var rows = pass.Batch * pass.Length;
        var grouped = mixed.view(pass.Batch, -1, mixed.size(1), pass.Length, _config.HeadWidth)
            .permute(0, 3, 1, 2, 4);                        // [batch, length, KV heads, queries of one KV head, d]
        if (!_config.KvSharing || pass.Chains.Count == 1)
            return grouped.reshape(rows, -1);

        List<Tensor> chains = [];
        long start = 0;
        for (var chain = pass.Chains.First; chain < pass.Chains.End; chain++)
        {
            var count = _config.Heads(chain) / _config.KeyValueHeads(0);
            chains.Add(grouped.narrow(3, start, count).reshape(rows, -1));
            start += count;
        }
        return cat(chains, dim: 1);
    }

    private Tensor Grouped(Tensor queries, ForwardPass pass)
    {
        var keyValueHeads = _config.KvSharing ? _config.KeyValueHeads(0) : KeyValueHeads(pass.Chains);
        return queries.view(pass.Batch, pass.Length, keyValueHeads, -1, _config.HeadWidth);
    }

    private Tensor Heads(Tensor keys, ForwardPass pass) =>
        keys.view(pass.Batch, pass.Length, -1, 1, _config.HeadWidth).permute(0, 2, 3, 1, 4);

    /// <summary>Where a token's query heads stand: beside each other chain by chain, and in a chain key-value head by head.</summary>
    private HeadPlaces QueryPlaces(ForwardPass pass)
    {
        var (groups, width) = (KeyValueHeads(_config.KvSharing ? new ChainRange(0, 1) : pass.Chains), _config.HeadWidth);
        var heads = Enumerable.Range(pass.Chains.First, pass.Chains.Count).Sum(_config.Heads);
        var queries = heads / groups;
        if (!_config.KvSharing || pass.Chains.Count == 1)
            return new(groups, queries, width, Columns(heads));
        var columns = new int[heads];
        var (start, before) = (0, 0);
        for (var chain = pass.Chains.First; chain < pass.Chains.End; chain++)
        {
            var own = _config.Heads(chain) / groups;
            for (var head = 0; head < _config.Heads(chain); head++)
                columns[head / own * queries + before + head % own] = start + head * width;
            start += _config.QueryWidth(chain);
            before += own;
        }
        return new(groups, queries, width, columns);
    }

    private int[] Columns(int heads) => [.. Enumerable.Range(0, heads).Select(head => head * _config.HeadWidth)];

    private int KeyValueHeads(ChainRange chains) => Enumerable.Range(chains.First, chains.Count).Sum(_config.KeyValueHeads);

    private Tensor Rotated(Tensor x, ForwardPass pass) => RotaryFunction.Apply(x, pass.Cosine, pass.Sine)
        .view(-1, x.size(2), pass.Length, _config.HeadWidth);
}
