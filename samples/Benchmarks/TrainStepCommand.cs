using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Training;

namespace Benchmarks;

/// <summary>A training step behind frozen first chains, against one that trains all chains of the same model.</summary>
internal sealed class TrainStepCommand : Benchmark
{
    private const int BatchesOfTokens = 8;

    private readonly GrowthOptions _growth = new();
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a window", byDefault: 256);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "windows of a step", byDefault: 16);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of a turn that count", byDefault: 3);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public TrainStepCommand() : base(
        "train-step", "A step behind a frozen first chain, against one that trains all chains of the same model.")
    {
        Offer([.. _growth.All, _sequence, _batch, _steps, _device, _rounds]);
        Validators.Add(_growth.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var grown = _growth.Grow(result, device);
        using var whole = _growth.Model.CreateRandom(grown.Config, result, device);
        var batch = result.GetValue(_batch);
        var length = Math.Min(result.GetValue(_sequence), grown.Config.ContextLength);
        using var spool = TokenSpool.Write([Tokens(grown.Config.VocabularySize, BatchesOfTokens * batch * length + 1)]);
        var windows = new TokenWindows(spool, length, seed: 1);

        var rounds = result.GetValue(_rounds);
        var frozenChains = _growth.FrozenChains(result, grown);
        using var heap = new KeptHeap();
        using var later = new Turn(grown, frozenChains, windows, batch);
        using var all = new Turn(whole, frozenChains: 0, windows, batch);
        for (var round = 0; round < rounds; round++)
        {
            later.Run(result.GetValue(_steps));
            all.Run(result.GetValue(_steps));
        }

        var settings = _growth.Model.Describe(result, grown);
        settings.Add("sequence", length);
        settings.Add("batch", batch);
        settings.Add("rounds", rounds);
        var report = new Report($"A training step of {batch} x {length} tokens, {{{grown.Config.Layout}}}", settings);
        report.Add("later chains", later.Phases.Step, basis: all.Phases.Step);
        report.Add("all chains", all.Phases.Step, basis: all.Phases.Step);
        report.Add("later chains, speed", later.Phases.Step.Select(TokensPerSecond), "tokens/s");
        report.Add("all chains, speed", all.Phases.Step.Select(TokensPerSecond), "tokens/s");
        later.AddTo(report, "later chains");
        all.AddTo(report, "all chains");
        return report;

        double TokensPerSecond(double milliseconds) => batch * length * 1000 / milliseconds;
    }

    // What the tokens are makes no difference to the time they take.
    private static int[] Tokens(int vocabulary, int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    /// <summary>One way to train, with its products.</summary>
    private sealed class Turn : IDisposable
    {
        private readonly LanguageModelObjective _objective;
        private readonly StepProducts _products;
        private readonly int _batch;

        public Turn(CoLMModel model, int frozenChains, TokenWindows windows, int batch)
        {
            double[] lastScale = [.. Enumerable.Repeat(0.0, model.Config.Layout.ChainCount - frozenChains - 1), 1];
            _batch = batch;
            _objective = new LanguageModelObjective(model, frozenChains, windows, batch, lastScale);
            var rows = batch * windows.Length;
            _products = new StepProducts(model.Config, frozenChains, rows, rows, headRows: rows, model.DataType, model.Device);
            _products.Run();
        }

        public StepPhases Phases { get; } = new();

        public void Run(int steps)
        {
            _products.Run();
            Phases.Run(new ChainExpansionEstimator.Options { BatchSize = _batch }, _objective,
                [.. _objective.Model.parameters().Where(parameter => parameter.requires_grad)], steps);
        }

        public void AddTo(Report report, string name) => Phases.AddTo(report, name, _products);

        public void Dispose() => _products.Dispose();
    }
}
