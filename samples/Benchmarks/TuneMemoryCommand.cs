using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Training;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// Memory of training a chain behind a frozen base, whose weights are numbers or quantised. Each is measured in a process of its
/// own.
/// </summary>
internal sealed class TuneMemoryCommand : Benchmark
{
    private static readonly string[] Bases = ["as given", "int8", "int4"];

    private readonly GrowthOptions _growth = new();
    private readonly Option<int> _sequence = CommonOptions.Count("--sequence", "tokens of a window", byDefault: 256);
    private readonly Option<int> _batch = CommonOptions.Count("--batch", "windows of a step", byDefault: 1);
    private readonly Option<int> _steps = CommonOptions.Count("--steps", "steps", byDefault: 2);

    // The command runs itself with this.
    private readonly Option<string> _child = new Option<string>("--child") { Hidden = true }.AcceptOnlyFromAmong(Bases);

    public TuneMemoryCommand() : base("tune-memory", "Memory of training a chain behind a frozen base in several formats (Linux).")
    {
        Offer([.. _growth.All, _sequence, _batch, _steps, _child]);
        Validators.Add(_growth.Validate);
    }

    protected override Report? Measure(ParseResult result)
    {
        if (result.GetValue(_child) is { } ofBase)
        {
            RunChild(result, ofBase);
            return null;
        }
        var report = new Report("Memory of training a chain behind a frozen base", new Dictionary<string, object>
        {
            ["model"] = result.GetValue(_growth.Model.Model)?.FullName ?? $"random {result.GetValue(_growth.Model.Shape)}",
            ["dtype"] = result.GetRequiredValue(_growth.Model.DataType),
            ["batch"] = result.GetValue(_batch),
            ["sequence"] = result.GetValue(_sequence),
        });
        Samples? basis = null;
        foreach (var name in Bases)
        {
            var numbers = ChildRun.Numbers([.. result.Tokens.Select(token => token.Value), _child.Name, name]);
            var peak = new Samples([numbers[1]]);
            report.Add($"base {name}: weights", new Samples([numbers[0]]), "MiB");
            report.Add($"base {name}: peak of the process", peak, "MiB", basis ??= peak);
        }
        return report;
    }

    private void RunChild(ParseResult result, string ofBase)
    {
        WeightFormat? format = ofBase == Bases[0] ? null : Enum.Parse<WeightFormat>(ofBase, ignoreCase: true);
        using var model = _growth.Grow(result, CPU, format);
        var (batch, length) = (result.GetValue(_batch), Math.Min(result.GetValue(_sequence), model.Config.ContextLength));
        var random = new Random(1);
        using var spool = TokenSpool.Write(
            [[.. Enumerable.Range(0, 4 * batch * length + 1).Select(_ => random.Next(model.Config.VocabularySize))]]);
        var frozenChains = _growth.FrozenChains(result, model);
        double[] lastScale = [.. Enumerable.Repeat(0.0, model.ChainCount - frozenChains - 1), 1];
        var objective = new LanguageModelObjective(model, frozenChains, new TokenWindows(spool, length, seed: 1), batch, lastScale);
        Parameter[] parameters = [.. model.parameters().Where(parameter => parameter.requires_grad)];
        _ = ResidentMemory.ResetPeak();
        new Trainer(new ChainExpansionEstimator.Options { BatchSize = batch, MaxSteps = result.GetValue(_steps) }, validate: null,
            asked: () => StopRequest.None, report: _ => { }).Train(objective, parameters);
        ChildRun.Write(model.SizeInBytes(model.ChainCount) / (double)(1 << 20), ResidentMemory.Peak());
    }
}
