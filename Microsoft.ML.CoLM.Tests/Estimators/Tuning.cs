using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Training;
using Microsoft.ML.Data;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Shorthand for short tunings of tiny models on a few texts.</summary>
internal static class Tuning
{
    public static readonly string[] Classes = ["cold", "warm", "hot"];

    /// <summary>Twelve texts of three classes.</summary>
    public static readonly LabelledRow[] Data = [.. Enumerable.Range(0, 12).Select(i => new LabelledRow
    {
        Text = TextModels.Sentence(4 + 2 * i),
        Second = TextModels.Sentence(20 - i),
        Class = Classes[i % 3],
        Number = 10 * (i % 3),
        Degrees = 20 + 5 * (i % 3),
        IsWarm = i % 3 > 0,
    })];

    /// <summary>One text of each class, four times: any model's features tell them apart.</summary>
    public static readonly LabelledRow[] Easy = [.. Enumerable.Repeat(Data.Take(3), 4).SelectMany(rows => rows)];

    /// <summary>A few quick steps.</summary>
    public static ChainTuningEstimator.Options Steps(ElasticScoringTransformer model, int steps = 4) => new()
    {
        Transformer = model,
        SequenceLength = 32,
        BatchSize = 6,
        MaxSteps = steps,
        WarmupSteps = 0,
        LearningRate = 3e-2,
        WeightDecay = 0,
        Seed = 3,
    };

    public static IDataView Labelled(this MLContext mlContext, params LabelledRow[] rows) =>
        mlContext.Data.LoadFromEnumerable(rows.Length > 0 ? rows : Data);

    /// <summary>The rows with a key of one of their columns as label.</summary>
    public static IDataView Keyed(this MLContext mlContext, string column, params LabelledRow[] rows)
    {
        var data = mlContext.Labelled(rows);
        return mlContext.Transforms.Conversion.MapValueToKey("Label", column).Fit(data).Transform(data);
    }

    public static IDataView Keyed(this MLContext mlContext, params LabelledRow[] rows) => mlContext.Keyed("Class", rows);

    public static ElasticScoringTransformer Tune(
        this MLContext mlContext, ChainTuningEstimator.Options options, IDataView? rows = null) =>
        mlContext.Transforms.ChainTuning(options).Fit(rows ?? mlContext.Keyed());

    public static Prediction[] Predict(
        this MLContext mlContext, ITransformer transformer, params LabelledRow[] rows) =>
        [.. mlContext.Data.CreateEnumerable<Prediction>(
            transformer.Transform(mlContext.Labelled(rows)), reuseRowObject: false)];

    /// <summary>The scores of some predictions, one after the other.</summary>
    public static float[] Scores(this IEnumerable<Prediction> predictions) =>
        [.. predictions.SelectMany(prediction => prediction.Score)];

    public static MulticlassClassificationMetrics Evaluate(
        this MLContext mlContext, ITransformer transformer, IDataView? rows = null) =>
        mlContext.MulticlassClassification.Evaluate(transformer.Transform(rows ?? mlContext.Keyed()));

    /// <summary>The task's head.</summary>
    public static ChainHead Head(this ElasticScoringTransformer transformer) => transformer.Settings.Scorer.Head!;

    /// <summary>Whether two parameters are the same memory.</summary>
    public static bool ShareMemory(Tensor a, Tensor b) => System.Runtime.CompilerServices.Unsafe.AreSame(
        ref MemoryMarshal.GetReference(a.detach().bytes), ref MemoryMarshal.GetReference(b.detach().bytes));

    /// <summary>Names of the parameters in which two models of one layout differ.</summary>
    public static string[] Differences(
        IReadOnlyDictionary<string, float[]> before, CoLMModel after) =>
        [.. TinyTraining.Values(after).Where(entry => !entry.Value.AsSpan().SequenceEqual(before[entry.Key]))
            .Select(entry => entry.Key)];
}
