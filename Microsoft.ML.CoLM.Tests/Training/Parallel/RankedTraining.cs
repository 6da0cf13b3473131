using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Trainings of every kind, by one process or by several ranks.</summary>
internal static class RankedTraining
{
    /// <summary>Every kind, by name.</summary>
    public static readonly Dictionary<string, Func<MLContext, Settings, Outcome>> Kinds = new()
    {
        ["expansion"] = (context, settings) => Expand(context, settings, ScalarType.Float32),
        ["expansion in bfloat16"] = (context, settings) => Expand(context, settings, ScalarType.BFloat16),
        ["from nothing"] = (context, settings) => Fit(context, settings, Expansion.FromNothing(settings.Steps, 4, 4)),
        ["classes"] = (context, settings) => Tune(context, settings, _ => { }),
        ["classes in bfloat16"] = (context, settings) => Tune(context, settings, _ => { }, dtype: ScalarType.BFloat16),
        ["classes, features not kept"] = (context, settings) => Tune(context, settings, options => options.ReuseFrozenFeatures = false),
        ["classes, the mean of all tokens"] = (context, settings) => Tune(context, settings, options => options.Pooling = FeaturePooling.Mean),
        ["classes, all chains"] = (context, settings) => Tune(context, settings, options => options.FrozenChains = 0),
        ["yes or no"] = (context, settings) => Tune(context, settings, options => options.LabelColumnName = nameof(LabelledRow.IsWarm)),
        ["numbers"] = (context, settings) => Tune(context, settings, options => options.LabelColumnName = nameof(LabelledRow.Degrees)),
        ["adapters with dropout"] = (context, settings) => Tune(context, settings,
            options => options.Lora = new LoraOptions { Rank = 2, Dropout = 0.2 }),
        ["adapters with dropout in bfloat16"] = (context, settings) => Tune(context, settings,
            options => options.Lora = new LoraOptions { Rank = 2, Dropout = 0.2 }, dtype: ScalarType.BFloat16),
        ["completions"] = (context, settings) => Tune(context, settings, options =>
        {
            (options.Task, options.PromptColumnName, options.ResponseColumnName) =
                (TuningTask.Completion, nameof(LabelledRow.Text), nameof(LabelledRow.Second));
        }),
        ["language heads"] = (context, settings) => Tune(context, settings, options => options.Task = TuningTask.LanguageHeads),
    };

    private static Outcome Expand(MLContext context, Settings settings, ScalarType dtype)
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, settings.Steps, 4);
        options.DataType = dtype;
        return Fit(context, settings, options);
    }

    private static Outcome Fit(MLContext context, Settings settings, ChainExpansionEstimator.Options options)
    {
        options.ValidationSet = context.Rows(Expansion.Corpus[..5]);
        var losses = Prepare(options, settings);
        using var fitted = context.Fit(options);
        return new(losses, fitted.Training!, Values(fitted.Model));
    }

    private static Outcome Tune(
        MLContext context, Settings settings, Action<ChainTuningEstimator.Options> change, ScalarType dtype = ScalarType.Float32)
    {
        using var model = TextModels.Random(4, 4);
        model.to(dtype);
        using var source = context.Scorer(model);
        var options = Tuning.Steps(source, settings.Steps);
        (options.BatchSize, options.ValidationSet) = (3, context.Keyed());
        change(options);
        var losses = Prepare(options, settings);
        using var fitted = context.Tune(options);
        return new(losses, fitted.Training!, [.. Values(fitted.Model), .. Values(fitted.Model.Adapters), .. Values(fitted.Settings.Scorer.Head)]);
    }

    private static List<double> Prepare(TrainingOptions options, Settings settings)
    {
        var losses = new List<double>();
        (options.GradientAccumulationSteps, options.Communicator) = (settings.Passes, settings.Communicator);
        (options.ValidationInterval, options.RestoreBest) = (10, true);
        (options.CheckpointFolder, options.ResumeFrom, options.CheckpointInterval) = (settings.Folder, settings.Folder, 3);
        options.Progress = new Recorder(progress =>
        {
            losses.Add(progress.Loss);
            losses.AddRange([.. progress.ValidationLosses, .. progress.ValidationMetrics]);
            settings.AtStep?.Invoke(progress.Step);
        });
        return losses;
    }

    private static float[] Values(nn.Module? module) =>
        [.. (module?.parameters() ?? []).SelectMany(parameter => parameter.detach().to(float32).data<float>())];

    /// <summary>How to train.</summary>
    internal sealed record Settings(
        int Steps, int Passes, Communicator? Communicator, string? Folder = null, Action<int>? AtStep = null);

    /// <summary>What a training ended with.</summary>
    /// <param name="Losses">Every step's loss and every validation's numbers.</param>
    /// <param name="Summary">Its summary.</param>
    /// <param name="Weights">Every weight.</param>
    internal sealed record Outcome(List<double> Losses, TrainingSummary Summary, float[] Weights);
}
