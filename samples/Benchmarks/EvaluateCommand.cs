using System.CommandLine;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>Time of metrics at every chain count in one pass, against scoring with all chains alone.</summary>
internal sealed class EvaluateCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "rows to score", byDefault: 32);
    private readonly Option<int> _words = CommonOptions.Count("--words", "words of a row", byDefault: 50);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public EvaluateCommand() : base(
        "evaluate", "Time of metrics at every chain count in one pass, against scoring with all chains alone.")
    {
        Offer([.. _model.All, _rows, _words, _device, _rounds]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = _model.Create(result, device);
        var mlContext = new MLContext(seed: 1);
        var rows = Texts.Rows(result.GetValue(_rows), result.GetValue(_words));
        var data = mlContext.Data.LoadFromEnumerable(rows);
        using var all = mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Model = model }).Fit(data);

        var race = new Race(device);
        const string One = "All chains alone";
        const string Pass = "Every chain count, one pass";
        const string Each = "Every chain count, one by one";
        race.Enter(One, () => Evaluate(all));
        race.Enter(Pass, () => _ = mlContext.CoLM().EvaluateChainCounts(all, data));
        race.Enter(Each, () =>
        {
            for (var chainCount = 1; chainCount <= all.ChainCount; chainCount++)
            {
                using var transformer = all.WithChainCount(chainCount);
                Evaluate(transformer);
            }
        });
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, model);
        settings.Add("rows", rows.Length);
        settings.Add("words", result.GetValue(_words));
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report(string.Create(CultureInfo.InvariantCulture,
            $"{rows.Length} rows of {result.GetValue(_words)} words, {{{model.Config.Layout}}}"), settings);
        foreach (var name in (string[])[One, Pass, Each])
            report.Add(name, times[name], basis: times[One]);
        return report;

        void Evaluate(ElasticScoringTransformer transformer) =>
            _ = mlContext.CoLM().EvaluateLanguageModel(transformer.Transform(data));
    }
}
