using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A task whose head reads the pooled features of a text or a pair of texts.</summary>
/// <param name="Depth">How deep rows go.</param>
/// <param name="MaxLength">Tokens of a row that are read; longer texts lose their end.</param>
/// <param name="Head">The task's head.</param>
internal abstract record PredictionRowScorer(Depth Depth, int MaxLength, ChainHead Head) : RowScorer(Depth)
{
    public override ChainHead Head { get; } = Head;

    public override string? OnlyReads => "the beginning";

    public override DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) => Depth.Cascade is null
        ? OwnColumns()
        : [.. OwnColumns(), new(DefaultColumnNames.ChainsUsed, NumberDataViewType.Int32)];

    public override Delegate[] CreateGetters(RowsToScore rows)
    {
        var predict = CreatePredictor(rows);
        var predictions = new BatchScores<RowText, Prediction>(
            rows.Source, RowTextReader.Create, batch => predict([.. batch.Select(text => Encode(rows, text))]),
            prediction => Array.TrueForAll(prediction.Outputs, float.IsFinite));
        var getters = OwnGetters(() => predictions.Current().Outputs);
        return Depth.Cascade is null
            ? getters
            : [.. getters, (ValueGetter<int>)((ref int value) => value = predictions.Current().ChainsUsed)];
    }

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Depth.ChainCount);
        context.Writer.Write(MaxLength);
        CascadeEntry.Save(context, Depth.Cascade);
        HeadEntry.Save(context, Head);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="context">The zip.</param>
    /// <param name="model">The zip's model.</param>
    /// <param name="outputCount">Outputs that the task has.</param>
    /// <param name="pooling">What the head reads of a text's tokens.</param>
    /// <exception cref="InvalidDataException">The head is damaged, or not the task's.</exception>
    protected static (Depth Depth, int MaxLength, ChainHead Head) Load(
        ZipReader context, CoLMModel model, int outputCount, FeaturePooling pooling)
    {
        var chainCount = context.Reader.ReadInt32();
        var maxLength = context.Reader.ReadInt32();
        if (maxLength < 1 || maxLength > model.Config.ContextLength)
        {
            throw new InvalidDataException("The zip's length of a text must be between 1 and the model's context of " +
                FormattableString.Invariant($"{model.Config.ContextLength} tokens, found {maxLength}."));
        }
        var depth = new Depth(chainCount, CascadeEntry.Load(context));
        return (depth, maxLength, HeadEntry.Load(context, model, outputCount, pooling));
    }

    protected abstract DataViewSchema.DetachedColumn[] OwnColumns();

    /// <summary>Getters of the task's own columns.</summary>
    /// <param name="outputs">The head's outputs for the current row.</param>
    protected abstract Delegate[] OwnGetters(Func<float[]> outputs);

    private int[] Encode(RowsToScore rows, RowText text)
    {
        var ids = TaskText.Encode(rows.Tokenizer, rows.Model.Config, text.First, text.Second, MaxLength,
            rows.Columns.Names, out var isCut, rows.Channel.CheckAlive);
        if (isCut)
            rows.Channel.CountCutRow(rows.Columns, MaxLength);
        return ids;
    }

    private Func<int[][], Prediction[]> CreatePredictor(RowsToScore rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        if (Depth.Cascade is { } cascade)
            return sequences => new CascadePredictor(rows.Model, Head, cascade, checkAlive).Predict(sequences);
        var scale = new ChainRange(Depth.ChainCount - 1, Depth.ChainCount);
        return sequences => Array.ConvertAll(SequencePredictor.Outputs(rows.Model, Head, sequences, scale, checkAlive),
            scales => new Prediction(scales[0], Depth.ChainCount));
    }
}
