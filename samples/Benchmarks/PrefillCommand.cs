using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// A prompt until the logits behind it, against the dense model of the same width and against the dense model's bare
/// matrix products.
/// </summary>
internal sealed class PrefillCommand : Benchmark
{
    private const string Dense = "dense";
    private const string ByLibtorch = "libtorch's products";

    private readonly ModelOptions _model = new();
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "tokens of the prompt", byDefault: 512);
    private readonly Option<string[]> _session = CommonOptions.Session();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 10);

    public PrefillCommand() : base(
        "prefill", "A prompt until the logits behind it, against the dense model of the same width and its bare products.")
    {
        Offer([.. _model.All, _tokens, _session, _device, _rounds]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        var length = result.GetValue(_tokens);
        using var model = _model.Create(result, device);
        using var dense = _model.CreateRandom(DenseConfig(result, model.Config), result, device);
        using var products = new BareGemm(dense.Config, length, device, dense.DataType);
        string[] sessions = [.. result.GetRequiredValue(_session).Distinct()];
        var prompts = Array.ConvertAll(sessions, session => new Prompt(model, length, session));
        var densePrompts = Array.ConvertAll(sessions, session => new Prompt(dense, length, session));

        var race = new Race(device);
        race.Enter("dense, bare products", products.Run);
        var (isChained, chains) = (model.Config.Layout.ChainCount > 1, $"{{{model.Config.Layout}}}");
        for (var i = 0; i < sessions.Length; i++)
        {
            Enter(race, CommonOptions.ToLabel(sessions[i], Dense), densePrompts[i], dense);
            if (isChained)
                Enter(race, CommonOptions.ToLabel(sessions[i], chains), prompts[i], model);
        }
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, model);
        settings.Add("tokens", length);
        settings.Add("rounds", result.GetValue(_rounds));
        settings.Add("cacheBytes", prompts[0].CacheBytes);
        var report = new Report($"A prompt of {length} tokens, {{{model.Config.Layout}}}", settings);
        foreach (var (name, samples) in times)
        {
            report.Add(name, samples, basis: times[CommonOptions.ToLabel(sessions[0], Dense)]);
            report.Add($"{name}, speed", samples.Select(time => length * 1000 / time), "tokens/s");
        }
        foreach (var session in sessions)
        {
            Speedup(CommonOptions.ToLabel(session, "speedup"), CommonOptions.ToLabel(session, Dense),
                CommonOptions.ToLabel(session, chains));
        }
        Speedup($"speedup, both with {ByLibtorch}", $"{Dense}, {ByLibtorch}", $"{chains}, {ByLibtorch}");
        Speedup($"speedup, dense with {ByLibtorch}", $"{Dense}, {ByLibtorch}", chains);
        Array.ForEach(prompts, prompt => prompt.Dispose());
        Array.ForEach(densePrompts, prompt => prompt.Dispose());
        return report;

        void Speedup(string name, string slower, string faster)
        {
            if (isChained && times.TryGetValue(slower, out var samples) && times.TryGetValue(faster, out var basis))
                report.Add(name, samples, basis: basis);
        }
    }

    // Where libtorch does not multiply, what the same model takes with libtorch's products, too.
    private static void Enter(Race race, string name, Prompt prompt, CoLMModel model)
    {
        race.Enter(name, prompt.Run);
        if (model.Device.type == DeviceType.CPU && ChosenProducts.In(model.DataType) != MatrixLibrary.LibTorch)
            race.Enter($"{name}, {ByLibtorch}", () => ChosenProducts.WithLibtorch(prompt.Run));
    }

    /// <summary>One chain as wide as all of a model's together; of a random model's shape, that shape.</summary>
    private CoLMConfig DenseConfig(ParseResult result, CoLMConfig config)
    {
        var (first, heads) = (config.Layout.Heads[0], config.Layout.Heads.Sum());
        if (config.Layout.ChainCount == 1)
            return config;
        if (_model.FindShape(result) is { } shape && shape.Heads == heads)
            return shape.Config(layout: null, keyValueHeads: null, kvSharing: false);
        return (config with
        {
            Layout = new ChainLayout(heads),
            HiddenSize = (int)((long)config.HiddenSize * heads / first),
            IntermediateSize = (int)((long)config.IntermediateSize * heads / first),
            HeadDimension = config.HeadWidth,
            KvSharing = false,
            KeyValueHeadCount = heads % config.KeyValueHeads(0) == 0 ? config.KeyValueHeads(0) : heads,
        }).Validated();
    }

    /// <summary>A prompt that is read from its beginning again and again.</summary>
    private sealed class Prompt : IDisposable
    {
        private readonly int[] _tokens;
        private readonly KvCache _cache;
        private readonly IDecodingSession _session;
        private readonly ChainRange _chains;

        public Prompt(CoLMModel model, int length, string session)
        {
            var random = new Random(1);
            _tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.VocabularySize))];
            _cache = new KvCache(model, length, 1, isBlocked: session == CommonOptions.OwnSession);
            _session = DecodingSession.Create(model, _cache, ownsCache: false, mayGrow: false);
            _chains = new ChainRange(0, model.Config.Layout.ChainCount);
        }

        public long CacheBytes => _cache.SizeInBytes;

        public void Run()
        {
            var last = _tokens.Length - 1;
            _session.Trim(0, 0);
            _session.Prefill(0, _tokens.AsSpan(0, last), _chains.End);
            _session.Run([new DecodingRow(0, last, _tokens[last])], 0, _chains);
            _ = _session.Logits(0);
        }

        public void Dispose()
        {
            _session.Dispose();
            _cache.Dispose();
        }
    }
}
