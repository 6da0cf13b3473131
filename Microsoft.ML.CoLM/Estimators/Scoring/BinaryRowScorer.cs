using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.BinaryClassification"/>: a head of two classes, false and true.</summary>
internal sealed record BinaryRowScorer(Depth Depth, int MaxLength, ChainHead Head)
    : PredictionRowScorer(Depth, MaxLength, Head)
{
    public const int ClassCount = 2;

    public override TaskKind Kind => TaskKind.BinaryClassification;

    /// <summary>Reads what was saved.</summary>
    /// <exception cref="InvalidDataException">The head is damaged, or not the task's.</exception>
    public static BinaryRowScorer Load(ZipReader context, CoLMModel model, FeaturePooling pooling)
    {
        var (depth, maxLength, head) = Load(context, model, ClassCount, pooling);
        return new(depth, maxLength, head);
    }

    /// <summary>The columns, which need no model.</summary>
    public static DataViewSchema.DetachedColumn[] Columns() =>
    [
        new(DefaultColumnNames.PredictedLabel, BooleanDataViewType.Instance),
        new(DefaultColumnNames.Score, NumberDataViewType.Single),
        new(DefaultColumnNames.Probability, NumberDataViewType.Single),
    ];

    protected override DataViewSchema.DetachedColumn[] OwnColumns() => Columns();

    protected override Delegate[] OwnGetters(Func<float[]> outputs) =>
    [
        (ValueGetter<bool>)((ref bool value) => value = LogOdds(outputs()) > 0),
        (ValueGetter<float>)((ref float value) => value = LogOdds(outputs())),
        (ValueGetter<float>)((ref float value) => value = Probabilities.Of(outputs())[1]),
    ];

    private static float LogOdds(float[] outputs) => outputs[1] - outputs[0];
}
