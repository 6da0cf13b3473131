using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.Features"/>.</summary>
/// <param name="ChainCount">How many chains' features the vector has.</param>
/// <param name="FeaturesColumnName">Vector of Single, of width D_≤k.</param>
/// <param name="Pooling">How tokens become one vector.</param>
internal sealed record FeatureScoring(int ChainCount, string FeaturesColumnName, FeaturePooling Pooling) : IScoringTask
{
    public TaskKind Kind => TaskKind.Features;

    public IScoringTask WithChainCount(int chainCount) => this with { ChainCount = chainCount };

    public IScoringTask WithCascade(CascadeOptions cascade) =>
        throw new NotSupportedException($"{TaskKind.Features} have no cascade: there is nothing to stop at.");

    public void CheckFits(CoLMConfig config) => config.Layout.CheckChainCount(ChainCount);

    public DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) =>
    [
        new(FeaturesColumnName, new VectorDataViewType(NumberDataViewType.Single, config?.Width(ChainCount) ?? 1),
            FeatureSlots.Annotations(config, ChainCount)),
    ];

    public Delegate[] CreateGetters(RowScoring rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        var vectors = new BatchScores<RowText, float[]>(rows.Source, RowTextReader.Create, batch => SequencePooling.Pool(
            rows.Model,
            rows.Tokenizer.EncodeRows(
                [.. batch.Select(text => text.First)], rows.Model.Config, rows.Columns.First, checkAlive),
            ChainCount, Pooling, rows.Windows, checkAlive),
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

    public void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(ChainCount);
        context.SaveNonEmptyString(FeaturesColumnName);
        context.Writer.Write((int)Pooling);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It names a pooling that there is not.</exception>
    public static FeatureScoring Load(ZipReader context)
    {
        var task = new FeatureScoring(
            ChainCount: context.Reader.ReadInt32(),
            FeaturesColumnName: context.LoadNonEmptyString(),
            Pooling: (FeaturePooling)context.Reader.ReadInt32());
        return Enum.IsDefined(task.Pooling)
            ? task
            : throw new InvalidDataException($"The zip's feature pooling {task.Pooling} is not known.");
    }
}
