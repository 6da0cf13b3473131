using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.Regression"/>.</summary>
/// <param name="Depth">How many chains a row is scored with.</param>
/// <param name="MaxLength">Tokens of a row that are read.</param>
/// <param name="Head">A head of one output.</param>
/// <param name="Labels">What the head's output is stretched to.</param>
internal sealed record RegressionRowScorer(Depth Depth, int MaxLength, ChainHead Head, LabelRange Labels)
    : PredictionRowScorer(Depth, MaxLength, Head)
{
    public override TaskKind Kind => TaskKind.Regression;

    protected override string? WhyNoCascade => $"{TaskKind.Regression} has no cascade: a number has no margin.";

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Labels.Mean);
        context.Writer.Write(Labels.Deviation);
        base.Save(host, context);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The head is damaged, or not the task's.</exception>
    public static RegressionRowScorer Load(ZipReader context, CoLMModel model, FeaturePooling pooling)
    {
        var labels = new LabelRange(context.Reader.ReadSingle(), context.Reader.ReadSingle());
        var (depth, maxLength, head) = Load(context, model, outputCount: 1, pooling);
        return new(depth, maxLength, head, labels);
    }

    /// <summary>The columns, which need no model.</summary>
    public static DataViewSchema.DetachedColumn[] Columns() => [new(DefaultColumnNames.Score, NumberDataViewType.Single)];

    protected override DataViewSchema.DetachedColumn[] OwnColumns() => Columns();

    protected override Delegate[] OwnGetters(Func<float[]> outputs) =>
        [(ValueGetter<float>)((ref float value) => value = Labels.Restore(outputs()[0]))];
}
