using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Kernels;

namespace Benchmarks;

/// <summary>Rows a second of Transform, against a PredictionEngine row by row.</summary>
internal sealed class ScoreCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "rows to score", byDefault: 200);
    private readonly Option<int> _words = CommonOptions.Count("--words", "words of a row", byDefault: 8);
    private readonly Option<string[]> _session = CommonOptions.Session();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public ScoreCommand() : base("score", "Rows a second of Transform, against a PredictionEngine row by row.")
    {
        Offer([.. _model.All, _rows, _words, _session, _device, _rounds]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = _model.Create(result, device);
        var mlContext = new MLContext(seed: 1);
        var rows = Texts.Rows(result.GetValue(_rows), result.GetValue(_words));
        var data = mlContext.Data.LoadFromEnumerable(rows);
        var options = new ElasticScoringEstimator.Options { Model = model };
        using var transformer = mlContext.Transforms.ElasticScoring(options).Fit(data);
        using var engine = mlContext.Model.CreatePredictionEngine<Document, Score>(
            transformer, new PredictionEngineOptions { OwnsTransformer = false });

        const string Transform = "Transform";
        const string Engine = "PredictionEngine";
        string[] sessions = [.. result.GetRequiredValue(_session).Distinct()];
        var race = new Race(device);
        foreach (var session in sessions)
        {
            Enter(session, Engine, () => _ = rows.Sum(row => engine.Predict(row).LogProbability));
            Enter(session, Transform, () => _ = mlContext.Data
                .CreateEnumerable<Score>(transformer.Transform(data), reuseRowObject: false)
                .Sum(score => score.LogProbability));
        }
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, model);
        settings.Add("rows", rows.Length);
        settings.Add("words", result.GetValue(_words));
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"{rows.Length} rows of {result.GetValue(_words)} words", settings);
        var speeds = times.ToDictionary(
            entry => entry.Key, entry => entry.Value.Select(milliseconds => rows.Length * 1000 / milliseconds));
        foreach (var (name, speed) in speeds)
            report.Add(name, speed, "rows/s", basis: speeds[CommonOptions.ToLabel(sessions[0], Engine)]);
        return report;

        // A text is scored in one pass of the modules, whatever the session: what differs is whose products they take.
        void Enter(string session, string name, Action run) => race.Enter(CommonOptions.ToLabel(session, name), () =>
        {
            var arePreferred = BlockProducts.ArePreferred;
            BlockProducts.ArePreferred = arePreferred && session == CommonOptions.OwnSession;
            run();
            BlockProducts.ArePreferred = arePreferred;
        });
    }
}
