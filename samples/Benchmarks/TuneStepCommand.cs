using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// A step of Chain Tuning for a label, with and without what the frozen chains computed before, against full fine-tuning of
/// the same model.
/// </summary>
internal sealed class TuneStepCommand : Benchmark
{
    private const int ClassCount = 2;

    private const int BatchesOfRows = 4;

    private readonly GrowthOptions _growth = new();
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a row", byDefault: 32);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "rows of a step", byDefault: 32);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps of a turn that count", byDefault: 3);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);
    private readonly Option<int?> _peakOf = new("--peak-of")
    {
        Description = "print the peak memory of training all chains but so many, in MiB above the weights, and nothing else",
        HelpName = "N",
        Hidden = true,
    };

    public TuneStepCommand() : base(
        "tune-step", "A step of Chain Tuning for a label, against full fine-tuning of the same model; peak memory on Linux.")
    {
        Offer([.. _growth.All, _sequence, _batch, _steps, _device, _rounds, _peakOf]);
        Validators.Add(_growth.Validate);
    }

    protected override Report? Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = _growth.Grow(result, device);
        var (batch, steps) = (result.GetValue(_batch), result.GetValue(_steps));
        var length = Math.Min(result.GetValue(_sequence), model.Config.ContextLength);
        var rows = Rows(model.Config.VocabularySize, BatchesOfRows * batch, length);
        var frozenChains = _growth.FrozenChains(result, model);

        if (result.GetValue(_peakOf) is { } frozen)
        {
            using var turn = new Turn(model, frozen, rows, batch);
            Console.WriteLine(turn.Peak(steps));
            return null;
        }
        using var heap = new KeptHeap();
        using var later = new Turn(model, frozenChains, rows, batch);
        using var reusing = new Turn(model, frozenChains, rows, batch, reuses: true);
        using var all = new Turn(model, frozenChains: 0, rows, batch);
        foreach (var turn in new[] { later, reusing, all })
            turn.RunFirstEpoch();

        for (var round = 0; round < result.GetValue(_rounds); round++)
        {
            later.Run(steps);
            reusing.Run(steps);
            all.Run(steps);
        }

        var settings = _growth.Model.Describe(result, model);
        settings.Add("sequence", length);
        settings.Add("batch", batch);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"A tuning step of {batch} rows of {length} tokens, {{{model.Config.Layout}}}", settings);
        var basis = all.Phases.Step;
        report.Add("full fine-tuning", basis, basis: basis);
        report.Add("later chains", later.Phases.Step, basis: basis);
        report.Add("later chains, features kept", reusing.Phases.Step, basis: basis);
        all.AddTo(report, "full fine-tuning");
        later.AddTo(report, "later chains");
        reusing.AddTo(report, "features kept");
        if (OperatingSystem.IsLinux())
        {
            var memory = PeakInAProcessOfItsOwn(frozenChains: 0);
            report.Add("full fine-tuning, above the weights", memory, "MiB", basis: memory);
            report.Add("later chains, above the weights", PeakInAProcessOfItsOwn(frozenChains), "MiB", basis: memory);
        }
        return report;
    }

    // An allocator keeps what it once had, so a peak is only measured once in a process.
    private Samples PeakInAProcessOfItsOwn(int frozenChains)
    {
        string[] arguments = [.. Environment.GetCommandLineArgs(), _peakOf.Name, $"{frozenChains}"];
        var path = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(path) == "dotnet";
        using var process = Process.Start(
            new ProcessStartInfo(path, isHost ? arguments : arguments[1..]) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? new([double.Parse(output, CultureInfo.InvariantCulture)])
            : throw new InvalidOperationException($"Peak memory could not be measured: {output}");
    }

    // What the tokens are makes no difference to the time they take.
    private static int[][] Rows(int vocabulary, int count, int length)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count)
            .Select(_ => Enumerable.Range(0, length).Select(_ => random.Next(vocabulary)).ToArray())];
    }

    /// <summary>One way to tune a model.</summary>
    private sealed class Turn : IDisposable
    {
        private readonly CoLMModel _model;
        private readonly ChainHead _head;
        private readonly FrozenFeatures? _frozen;
        private readonly PredictionObjective _objective;
        private readonly StepProducts _products;

        public Turn(CoLMModel model, int frozenChains, int[][] rows, int batch, bool reuses = false)
        {
            _model = model.Share(frozenChains);
            _head = new ChainHead(model.Config, ClassCount, model.Device, FeaturePooling.LastToken);
            _head.Initialise(seed: 1);
            _frozen = reuses ? new FrozenFeatures(_model, frozenChains, rows, new(1L << 32, 0), _ => { },
                ExampleFeatures.NeedLastAlone(_model.Config, frozenChains, _head.Pooling)) : null;
            float[] labels = [.. rows.Select((_, i) => (float)(i % ClassCount))];
            double[] weights = [.. Enumerable.Range(1, model.Config.Layout.ChainCount)
                .Select(scale => scale >= frozenChains ? 1.0 : 0)];
            _objective = new PredictionObjective(new ExampleFeatures(_model, frozenChains, rows, _frozen), _head, labels,
                new ExampleOrder(Array.ConvertAll(rows, row => row.Length), batch, seed: 1), new ClassLoss(), weights);
            var tokens = batch * rows[0].Length;
            _products = new StepProducts(model.Config, frozenChains, frozenRows: reuses ? 0 : tokens,
                ExampleFeatures.NeedLastAlone(model.Config, frozenChains, _head.Pooling) ? batch : tokens, headRows: 0,
                model.DataType, model.Device);
        }

        public StepPhases Phases { get; } = new();

        /// <summary>MiB above what was resident before.</summary>
        public double Peak(int steps)
        {
            using (no_grad())
                _objective.Loss(0).Sum.Dispose(); // code and libtorch's own memory are there now
            var before = ResidentMemory.ResetPeak();
            Train(new StepPhases(), steps);
            return ResidentMemory.Peak() - before;
        }

        /// <summary>Warms up, and keeps what the frozen chains compute.</summary>
        public void RunFirstEpoch()
        {
            _products.Run();
            Train(new StepPhases(), BatchesOfRows);
        }

        public void Run(int steps)
        {
            _products.Run();
            Train(Phases, steps);
        }

        public void AddTo(Report report, string name) => Phases.AddTo(report, name, _products);

        private void Train(StepPhases phases, int steps) => phases.Run(new ChainTuningEstimator.Options(), _objective,
        [
            .. _model.named_parameters()
                .Where(entry => entry.parameter.requires_grad && ParameterName.Parse(entry.name).Module != ParameterName.Head)
                .Select(entry => entry.parameter),
            .. _head.parameters(),
        ], steps);

        public void Dispose()
        {
            _products.Dispose();
            _frozen?.Dispose();
            _head.Dispose();
            _model.Dispose();
        }
    }
}
