using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.Features"/>.</summary>
/// <param name="Depth">How many chains' features the vector has.</param>
/// <param name="FeaturesColumnName">Vector of Single, of width D_≤k.</param>
/// <param name="Pooling">How tokens become one vector.</param>
internal sealed record FeatureRowScorer(Depth Depth, string FeaturesColumnName, FeaturePooling Pooling) : RowScorer(Depth)
{
    public override TaskKind Kind => TaskKind.Features;

    protected override string? WhyNoCascade => $"{ScoringTask.Features} have no cascade: there is nothing to stop at.";

    public override DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) =>
    [
        new(FeaturesColumnName, new VectorDataViewType(NumberDataViewType.Single, config?.Width(Depth.ChainCount) ?? 1),
            FeatureSlots.Annotations(config, Depth.ChainCount)),
    ];

    public override Delegate[] CreateGetters(RowsToScore rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        var vectors = new BatchScores<RowText, float[]>(rows.Source, RowTextReader.Create, batch => SequencePooling.Pool(
            rows.Model,
            rows.Tokenizer.EncodeRows(
                [.. batch.Select(text => text.First)], rows.Model.Config, rows.Columns.First, checkAlive),
            Depth.ChainCount, Pooling, rows.Windows, checkAlive),
            vector => Array.TrueForAll(vector, float.IsFinite));
        return
        [
            (ValueGetter<VBuffer<float>>)((ref VBuffer<float> value) =>
            {
                var vector = vectors.Current();
                var editor = VBufferEditor.Create(ref value, vector.Length);
                vector.CopyTo(editor.Values);
                value = editor.Commit();
            }),
        ];
    }

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Depth.ChainCount);
        context.SaveNonEmptyString(FeaturesColumnName);
        context.Writer.Write((int)Pooling);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It names a pooling that there is not.</exception>
    public static FeatureRowScorer Load(ZipReader context)
    {
        var scorer = new FeatureRowScorer(
            Depth: new(context.Reader.ReadInt32()),
            FeaturesColumnName: context.LoadNonEmptyString(),
            Pooling: (FeaturePooling)context.Reader.ReadInt32());
        return Enum.IsDefined(scorer.Pooling)
            ? scorer
            : throw new InvalidDataException($"The zip's feature pooling {scorer.Pooling} is not known.");
    }
}
