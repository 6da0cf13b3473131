using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What makes a sweep this one and no other: all that decides its trials but its limits, which may change.</summary>
internal static class SweepIdentity
{
    /// <summary>Names and texts, weights and rows as checksums.</summary>
    public static SortedDictionary<string, string> Of(SweepPlan plan)
    {
        var texts = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["Metric"] = plan.MetricText,
            ["Latency batch size"] = FormattableString.Invariant($"{plan.LatencyBatchSize}"),
            ["Folds"] = plan.Data.HasFolds
                ? FormattableString.Invariant($"{plan.Data.FoldCount}, sampling key {plan.Data.SamplingKey ?? DecisiveOptions.None}")
                : DecisiveOptions.None,
            ["Seed"] = HostSettings.SeedOf(plan.Host) is { } seed ? FormattableString.Invariant($"{seed}") : DecisiveOptions.None,
        };
        if (!plan.MeasuresLatency)
            texts["Latency"] = "not measured"; // absent otherwise, as in folders of earlier versions
        if (plan.Model is { } model)
            texts["Model"] = PipelineDigest.Of(plan.Context, model);
        else
            texts["Search"] = plan.Search.Describe();
        foreach (var dimension in plan.Space)
            texts[$"Space '{dimension.Name}'"] = dimension.Describe();
        if (plan.Model is null)
            texts["Space order"] = string.Join(", ", plan.Space.Select(dimension => dimension.Name));
        if (plan.Model is null || plan.Data.Validation is null)
            texts["Data"] = DataDigest.Of(plan.Data.Train);
        if (plan.Data.Validation is { } validation)
            texts["Validation data"] = DataDigest.Of(validation);
        if (plan.CalibrationData is { } calibration)
        {
            texts["Calibration data"] = DataDigest.Of(calibration);
            texts["Cascade tolerances"] = string.Join(", ", plan.Tolerances.Select(tolerance => SweepValue.TextOf(tolerance)));
        }
        return texts;
    }
}
