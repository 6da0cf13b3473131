using System.CommandLine;
using System.CommandLine.Parsing;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.Data;

namespace Benchmarks;

/// <summary>
/// Rows a second of Transform, against a PredictionEngine row by row; or, of a saved pipeline, rows of a file, a batch size or a
/// chain count, the latency of a row at each chain count.
/// </summary>
internal sealed class ScoreCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "rows to score", byDefault: 200);
    private readonly Option<int> _words = CommonOptions.Count("--words", "words of a row", byDefault: 8);
    private readonly Option<FileInfo> _zip = new Option<FileInfo>("--zip")
    {
        Description = "a saved pipeline with a model of this library: latency of a row and speed at each chain count",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _data = new Option<FileInfo>("--data")
    {
        Description = "rows for it: JSON lines, or fields between tabs with a header; all of them unless --rows is given",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<int?> _batchSize = new("--batch-size")
    {
        Description = "rows that are scored together [default: 64]",
        HelpName = "N",
    };
    private readonly Option<int?> _chainCount = new("--chain-count")
    {
        Description = "the one chain count to measure [default: each]",
        HelpName = "N",
    };
    private readonly Option<string[]> _session = CommonOptions.Session();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public ScoreCommand() : base("score", "Rows a second of Transform, against a PredictionEngine row by row; with --zip, " +
        "--data, --batch-size or --chain-count, the latency of a row at each chain count.")
    {
        Offer([.. _model.All, _zip, _data, _batchSize, _chainCount, _rows, _words, _session, _device, _rounds]);
        Validators.Add(_model.Validate);
        Validators.Add(Validate);
    }

    protected override Report Measure(ParseResult result) =>
        IsGiven(result, _zip) || IsGiven(result, _data) || IsGiven(result, _batchSize) || IsGiven(result, _chainCount)
            ? MeasureChains(result)
            : MeasureRows(result);

    private static bool IsGiven(SymbolResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private static bool IsGiven(ParseResult result, Option option) => result.GetResult(option) is { Implicit: false };

    private void Validate(CommandResult result)
    {
        if (IsGiven(result, _zip))
        {
            foreach (var option in _model.All.Where(option => IsGiven(result, option)))
                result.AddError($"{option.Name} is for folders and random models; --zip brings its own.");
        }
        foreach (var option in (Option<int?>[])[_batchSize, _chainCount])
        {
            if (result.GetValue(option) < 1)
                result.AddError($"{option.Name} must be at least 1, found {result.GetValue(option)}.");
        }
    }

    private Report MeasureChains(ParseResult result)
    {
        var mlContext = new MLContext(seed: 1);
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        if (device.type == TorchSharp.DeviceType.CUDA)
            mlContext.GpuDeviceId = device.index;
        using var own = result.GetValue(_zip) is null ? _model.Create(result, device) : null;
        var (model, schema) = own is null
            ? Load(mlContext, result.GetRequiredValue(_zip))
            : (Fit(mlContext, own), mlContext.Data.LoadFromEnumerable(Array.Empty<Document>()).Schema);
        using var disposing = model as IDisposable;
        var columns = schema?.Select(column => (column.Name, column.Type)) ?? TextColumns(model);
        var table = result.GetValue(_data) is { } file
            ? TableFile.Read(file, IsGiven(result, _rows) ? result.GetValue(_rows) : int.MaxValue)
            : MadeUp(result, columns);
        var speeds = new ChainSpeeds(model, SchemaRows.Of(table, columns),
            result.GetValue(_batchSize) ?? new ElasticScoringEstimator.Options().BatchSize);

        var settings = speeds.Describe();
        settings.Add("rounds", result.GetValue(_rounds));
        var name = result.GetValue(_zip)?.Name ?? result.GetValue(_model.Model)?.Name ?? $"random {result.GetValue(_model.Shape)}";
        var report = new Report($"{name}, {table.Rows.Count} rows of {table.Path}", settings);
        speeds.Measure(report, result.GetValue(_chainCount) is { } count ? [count] : speeds.ChainCounts, result.GetValue(_rounds));
        return report;
    }

    private static (ITransformer Model, DataViewSchema? Schema) Load(MLContext mlContext, FileInfo zip)
    {
        var model = mlContext.CoLM().Load(zip.FullName, out var schema);
        return (model, schema);
    }

    private static ITransformer Fit(MLContext mlContext, CoLMModel model) => mlContext.Transforms
        .ElasticScoring(new ElasticScoringEstimator.Options { Model = model })
        .Fit(mlContext.Data.LoadFromEnumerable(Array.Empty<Document>()));

    // A zip that was saved without a schema: the scorer's texts.
    private static IEnumerable<(string, DataViewType)> TextColumns(ITransformer model)
    {
        var texts = ElasticChain.Find(model).Settings.Columns;
        string[] names = texts.Second is { } second ? [texts.First, second] : [texts.First];
        return names.Select(name => (name, (DataViewType)TextDataViewType.Instance));
    }

    private TableFile MadeUp(ParseResult result, IEnumerable<(string Name, DataViewType Type)> columns)
    {
        string[] names = [.. columns.Where(column => column.Type is TextDataViewType).Select(column => column.Name)];
        var texts = Texts.Rows(result.GetValue(_rows), result.GetValue(_words));
        return new($"{result.GetValue(_words)} made-up words", names,
            [.. texts.Select((row, i) => (i + 1, Array.ConvertAll(names, _ => row.Text)))]);
    }

    private Report MeasureRows(ParseResult result)
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

        var tokens = mlContext.Data.CreateEnumerable<Score>(transformer.Transform(data), reuseRowObject: false)
            .Sum(score => score.TokenCount);
        var settings = _model.Describe(result, model);
        settings.Add("rows", rows.Length);
        settings.Add("words", result.GetValue(_words));
        settings.Add("tokens", tokens);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"{rows.Length} rows of {result.GetValue(_words)} words", settings);
        var speeds = times.ToDictionary(
            entry => entry.Key, entry => entry.Value.Select(milliseconds => rows.Length * 1000 / milliseconds));
        foreach (var (name, speed) in speeds)
            report.Add(name, speed, "rows/s", basis: speeds[CommonOptions.ToLabel(sessions[0], Engine)]);
        // What prefill's are held against: a token is scored from the features of the one before it.
        foreach (var (name, time) in times)
            report.Add($"{name}, speed", time.Select(milliseconds => tokens * 1000 / milliseconds), "tokens/s");
        return report;

        // A text is scored in one pass of the modules, whatever the session: what differs is whose products they take.
        void Enter(string session, string name, Action run) => race.Enter(CommonOptions.ToLabel(session, name), () =>
        {
            if (result.GetResult(_session) is { Implicit: true })
            {
                run();
                return;
            }
            using var use = MatrixProducts.Use(session == CommonOptions.OwnSession ? ChosenProducts.Own : ChosenProducts.ByLibtorch);
            run();
        });
    }
}
