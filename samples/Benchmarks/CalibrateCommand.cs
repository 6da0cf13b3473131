using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;

namespace Benchmarks;

/// <summary>
/// Whether a calibrated cascade keeps its promise: on random halves of texts, one to find the thresholds by, the other to score.
/// </summary>
internal sealed class CalibrateCommand : Benchmark
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "CoLM folder of several chains; this, or --zip",
        HelpName = "FOLDER",
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _zip = new Option<FileInfo>("--zip")
    {
        Description = "a pipeline's zip with a language model of several chains in it",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _validation = new Option<FileInfo>("--validation")
    {
        Description = "texts: JSON lines with \"text\"",
        HelpName = "FILE",
        Required = true,
    }.AcceptExistingOnly();
    private readonly Option<double> _tolerance = new("--tolerance")
    {
        Description = "how much more loss a token may have than with all chains",
        HelpName = "X",
        DefaultValueFactory = _ => 0.01,
    };
    private readonly Option<double> _confidence = new("--confidence")
    {
        Description = "how probable it is to be that the promise is kept",
        HelpName = "P",
        DefaultValueFactory = _ => new CascadeCalibrationOptions().Confidence,
    };
    private readonly Option<int> _halves = CommonOptions.Count("--halves", "random halves to calibrate on", byDefault: 20);
    private readonly Option<int> _maxTokens =
        CommonOptions.Count("--max-tokens", "leaves out texts of more tokens", byDefault: int.MaxValue);

    public CalibrateCommand() : base(
        "calibrate", "Whether calibrated cascades keep their promise on texts that they were not calibrated on.")
    {
        Offer(_model, _zip, _validation, _tolerance, _confidence, _halves, _maxTokens);
        Validators.Add(result =>
        {
            if (result.GetResult(_model) is null == result.GetResult(_zip) is null)
                result.AddError("Give --model or --zip.");
        });
    }

    protected override Report Measure(ParseResult result)
    {
        var texts = Document.Read(result.GetRequiredValue(_validation));
        var pipeline = result.GetValue(_zip) is { } zip
            ? _mlContext.CoLM().Load(zip.FullName, out _)
            : _mlContext.Transforms.ElasticScoring(result.GetValue(_model)!.FullName).Fit(_mlContext.Data.LoadFromEnumerable(texts));
        using var disposing = pipeline as IDisposable;
        var counts = Score(pipeline.WithChainCount(1), texts);
        texts = [.. texts.Where((_, row) => counts[row].TokenCount > 0 && counts[row].TokenCount < result.GetValue(_maxTokens))];
        var tolerance = result.GetValue(_tolerance);
        var options = new CascadeCalibrationOptions { Confidence = result.GetValue(_confidence) };

        // All chains' scores are the same in every half.
        var everything = _mlContext.CoLM().CalibrateCascade(pipeline, Rows(texts), tolerance, options);
        Console.WriteLine($"All texts: {everything}");
        var all = Score(pipeline.WithChainCount(ElasticChain.Find(pipeline).Model.Config.Layout.ChainCount), texts);
        var one = Score(pipeline.WithChainCount(1), texts);
        var order = Enumerable.Range(0, texts.Length).ToArray();
        var random = new Random(1);
        var (chains, costs, differences, ones) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        var report = new Report($"{texts.Length} texts, promise: at most {tolerance} worse than all chains", new Dictionary<string, object>
        {
            ["model"] = result.GetValue(_zip)?.FullName ?? result.GetValue(_model)!.FullName,
            ["confidence"] = options.Confidence,
        });
        for (var half = 0; half < result.GetValue(_halves); half++)
        {
            random.Shuffle(order);
            int[] calibrated = order[..(order.Length / 2)], measured = order[(order.Length / 2)..];
            var found = _mlContext.CoLM().CalibrateCascade(
                pipeline, Rows([.. calibrated.Select(row => texts[row])]), tolerance, options);
            var scored = Score(pipeline.WithCascade(found.Cascade), [.. measured.Select(row => texts[row])]);
            var difference = Loss(scored) - Loss([.. measured.Select(row => all[row])]);
            differences.Add(difference);
            ones.Add(Loss([.. measured.Select(row => one[row])]) - Loss([.. measured.Select(row => all[row])]));
            chains.Add(scored.Average(row => row.ChainsUsed));
            costs.Add(found.RelativeCost);
            report.Add(string.Join(", ", found.Cascade.ChainCounts), new Samples([chains[^1]]), "chains",
                values: new Dictionary<string, double>
                {
                    ["Threshold"] = found.Cascade.Thresholds.FirstOrDefault(double.NaN),
                    ["Claimed"] = found.Metric - found.AllChainsMetric,
                    ["Bound"] = found.DifferenceBound,
                    ["Measured"] = difference,
                    ["Cost"] = found.RelativeCost,
                });
        }
        var kept = differences.Count(difference => difference <= tolerance);
        report.AddRatio("kept", (double)kept / differences.Count);
        Console.WriteLine($"Kept in {kept} of {differences.Count}; mean difference {differences.Average():F5}, largest " +
            $"{differences.Max():F5}, with one chain at least {ones.Min():F5}; mean chains {chains.Average():F3}, mean cost " +
            $"{costs.Average():P1}.");
        return report;
    }

    private CascadeRow[] Score(ITransformer pipeline, Document[] texts)
    {
        using var disposing = pipeline as IDisposable;
        return [.. _mlContext.Data.CreateEnumerable<CascadeRow>(
            pipeline.Transform(Rows(texts)), reuseRowObject: false, ignoreMissingColumns: true)];
    }

    private IDataView Rows(Document[] texts) => _mlContext.Data.LoadFromEnumerable(texts);

    private static double Loss(CascadeRow[] rows) =>
        -rows.Sum(row => (double)row.LogProbability) / rows.Sum(row => (long)row.TokenCount);
}
