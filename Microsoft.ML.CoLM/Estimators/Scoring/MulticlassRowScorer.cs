using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.MulticlassClassification"/>.</summary>
/// <param name="Depth">How deep rows go.</param>
/// <param name="MaxLength">Tokens of a row that are read.</param>
/// <param name="Head">A head of one output for each class.</param>
/// <param name="Labels">The classes.</param>
internal sealed record MulticlassRowScorer(Depth Depth, int MaxLength, ChainHead Head, ClassLabels Labels)
    : PredictionRowScorer(Depth, MaxLength, Head)
{
    public override TaskKind Kind => TaskKind.MulticlassClassification;

    public override void Save(IHost host, ZipWriter context)
    {
        Labels.Save(host, context);
        base.Save(host, context);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The head is damaged, or not the task's.</exception>
    public static MulticlassRowScorer Load(IHost host, ZipReader context, CoLMModel model, FeaturePooling pooling)
    {
        var labels = ClassLabels.Load(host, context);
        var (depth, maxLength, head) = Load(context, model, labels.Count, pooling);
        try
        {
            _ = labels.Names; // damaged ones are refused here, not at the first row
            return new(depth, maxLength, head, labels);
        }
        catch
        {
            head.Dispose();
            throw;
        }
    }

    /// <summary>The columns, which need no model.</summary>
    public static DataViewSchema.DetachedColumn[] Columns(ClassLabels labels) =>
        [labels.KeyColumn(DefaultColumnNames.PredictedLabel), labels.VectorColumn(DefaultColumnNames.Score)];

    protected override DataViewSchema.DetachedColumn[] OwnColumns() => Columns(Labels);

    protected override Delegate[] OwnGetters(Func<float[]> outputs) =>
    [
        // Keys count from 1: 0 is a missing one.
        (ValueGetter<uint>)((ref uint value) => value = (uint)Largest(outputs()) + 1),
        (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
        {
            var probabilities = Probabilities.Of(outputs());
            var editor = VBufferEditor.Create(ref value, probabilities.Length);
            probabilities.CopyTo(editor.Values);
            value = editor.Commit();
        }),
    ];

    private static int Largest(float[] outputs) => Array.IndexOf(outputs, outputs.Max());
}
