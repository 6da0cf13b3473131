using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads rows at all chain counts, once, and finds the cascade that they ask for.</summary>
internal sealed class CascadeCalibrator
{
    private readonly ElasticScoringTransformer _transformer;
    private readonly ICalibration _calibration;
    private readonly int[] _chainCounts;
    private readonly ScoringChannel _channel;
    private readonly List<CalibrationRow> _rows = [];
    private long _rowsRead;
    private long _unlabelled;

    private CascadeCalibrator(
        ElasticScoringTransformer transformer, ICalibration calibration, int[] chainCounts, ScoringChannel channel) =>
        (_transformer, _calibration, _chainCounts, _channel) = (transformer, calibration, chainCounts, channel);

    /// <param name="environment">Told to stop by a cancellation, and told of rows that are left out.</param>
    /// <param name="model">A fitted pipeline.</param>
    /// <param name="data">The rows that it gets.</param>
    /// <param name="tolerance">How much worse than with all chains the metric may be.</param>
    /// <param name="options">How the cascade is found; checked.</param>
    /// <exception cref="ArgumentException">The model, the rows or an option do not fit; the message says what.</exception>
    public static CascadeCalibration Of(
        IHostEnvironment environment, ITransformer model, IDataView data, double tolerance, CascadeCalibrationOptions options)
    {
        var transformer = ElasticChain.Find(model);
        transformer.CheckUsable();
        var chainCounts = ChainCounts(transformer.Model.Config.Layout, options);
        var rows = ChainFront.Transform(model, transformer, data);
        ICalibration calibration = transformer.Settings.Scorer switch
        {
            LanguageModelRowScorer => new LanguageCalibration(options.Metric),
            PredictionRowScorer and not RegressionRowScorer =>
                new ClassCalibration((PredictionRowScorer)transformer.Settings.Scorer, rows.Schema, options),
            var other => throw new ArgumentException($"A cascade has {TaskKind.LanguageModeling} or classification to stop at, " +
                $"the model's task is {other.Kind}.", nameof(model)),
        };
        var host = environment.Register(nameof(CascadeCalibrator));
        using var channel = new ScoringChannel(host, transformer.CheckUsable, hasEnd: true);
        var calibrator = new CascadeCalibrator(transformer, calibration, chainCounts, channel);
        calibrator.Read(rows, host);
        return calibrator.Find(tolerance, options.Confidence);
    }

    private static int[] ChainCounts(ChainLayout layout, CascadeCalibrationOptions options)
    {
        if (layout.ChainCount == 1)
            throw new ArgumentException("The model has one chain, and a cascade takes at least two.");
        if (options.ChainCounts is not { } given)
            return [.. Enumerable.Range(1, layout.ChainCount)];
        if (given.Count < 2 || given[0] < 1 || given[^1] > layout.ChainCount ||
            given.Zip(given.Skip(1)).Any(pair => pair.Second <= pair.First))
        {
            throw new ArgumentException($"{nameof(options.ChainCounts)} must be at least two that rise, from 1 to the model's " +
                FormattableString.Invariant($"{layout.ChainCount}, found {string.Join(", ", given)}."));
        }
        return [.. given];
    }

    private void Read(IDataView data, IHost host)
    {
        var settings = _transformer.Settings;
        var columns = settings.Columns.In(data.Schema);
        using var cursor = data.GetRowCursor(_calibration.Label is { } label ? [.. columns, label.AsColumn()] : columns);
        var readText = new RowTextReader(cursor, columns);
        var readLabel = _calibration.Label?.GetterOf(cursor);
        var (texts, labels, value) = (new List<RowText>(), new List<float>(), 0f);
        while (cursor.MoveNext())
        {
            readLabel?.Invoke(ref value);
            if (!float.IsFinite(value))
            {
                _unlabelled++;
                continue;
            }
            texts.Add(readText.Read());
            labels.Add(value);
            if (texts.Count == settings.BatchSize)
                Score(texts, labels);
        }
        Score(texts, labels);
        if (_unlabelled > 0)
        {
            using var channel = host.Start("Calibrating");
            channel.Warning($"{_unlabelled} rows have no label in column '{_calibration.Label!.Name}' and are left out.");
        }
        if (!_rows.Exists(row => row.IsScored))
        {
            throw new ArgumentException(_calibration.Label is { } missing && _unlabelled > 0
                ? $"No row has a label in column '{missing.Name}'."
                : $"The data must have a row with a text to score in column '{settings.Columns.Names}', found {_rows.Count} rows " +
                    "without.");
        }
    }

    private void Score(List<RowText> texts, List<float> labels)
    {
        using var use = _transformer.Enter();
        foreach (var row in _calibration.Score(_transformer, texts, labels, _channel))
        {
            if (!Array.TrueForAll(row.Losses, double.IsFinite))
            {
                throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
                    $"The score of row {_rowsRead}, counted from 0, is not a finite number: ") +
                    "the model's weights or settings are beyond what the type that it computes in can hold.");
            }
            _rows.Add(row with { Doubts = Taken(row.Doubts), Losses = Taken(row.Losses) });
            _rowsRead++;
        }
        texts.Clear();
        labels.Clear();
    }

    private double[] Taken(double[] scales) => Array.ConvertAll(_chainCounts, count => scales[count - 1]);

    private CascadeCalibration Find(double tolerance, double confidence)
    {
        CalibrationRow[] rows = [.. _rows];
        var parameters = Array.ConvertAll(_chainCounts, _transformer.Model.ParameterCount);
        var found = new CascadeSearch(rows, parameters, tolerance, confidence, _calibration.IsCount, _channel.CheckAlive).Find();
        var weight = rows.Sum(row => row.Weight);
        return new()
        {
            Cascade = CascadeOptions.Of(Array.ConvertAll(found.Stages, stage => _chainCounts[stage]),
                [.. Enumerable.Repeat(_calibration.ThresholdOf(found.Threshold), found.Stages.Length - 1)], _calibration.StopsByLoss),
            IsFound = found.Cost < 1,
            Kind = _calibration.Metric,
            Metric = _calibration.MetricOf(rows.Sum(row => row.Losses[row.StageOf(found.Stages, found.Threshold)]) / weight),
            AllChainsMetric = _calibration.MetricOf(rows.Sum(row => row.Losses[^1]) / weight),
            DifferenceBound = found.Bound,
            MeanChainsUsed = rows.Average(row => _chainCounts[row.StageOf(found.Stages, found.Threshold)]),
            RelativeCost = found.Cost,
            RowCount = rows.Length,
        };
    }
}
