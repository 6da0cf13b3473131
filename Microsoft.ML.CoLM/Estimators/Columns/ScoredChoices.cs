using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Rows that were scored by <see cref="TaskKind.MultipleChoice"/>, with their answers.</summary>
/// <param name="environment">Asked whether its execution was cancelled.</param>
/// <param name="scored">The rows.</param>
/// <param name="labelColumnName">The right choices.</param>
internal sealed class ScoredChoices(IHostEnvironment environment, IDataView scored, string labelColumnName)
{
    /// <summary>Compares what was predicted with what is right.</summary>
    /// <exception cref="ArgumentException">A column is missing or of another type, there is no row, or an answer is no choice.</exception>
    public MultipleChoiceMetrics Evaluate()
    {
        var scores = Column(DefaultColumnNames.Score, new VectorDataViewType(NumberDataViewType.Single));
        var predictions = Column(DefaultColumnNames.PredictedLabel, NumberDataViewType.Int32);
        var normalized = Column(DefaultColumnNames.NormalizedPredictedLabel, NumberDataViewType.Int32);
        var choices = Column(DefaultColumnNames.Choices, new VectorDataViewType(TextDataViewType.Instance));
        var label = scored.Schema.GetColumnOrNull(labelColumnName) ?? throw new ArgumentException(
            $"The data has no label column '{labelColumnName}'. It has {TextColumns.ColumnNames(scored.Schema)}.");
        using var cursor = scored.GetRowCursor([scores, predictions, normalized, choices, label]);
        var readAnswer = AnswerColumn.GetterOf(cursor, label);
        var readScores = cursor.GetGetter<VBuffer<float>>(scores);
        var (readPrediction, readNormalized) = (cursor.GetGetter<int>(predictions), cursor.GetGetter<int>(normalized));
        var readChoices = RowChoicesReader.Texts(cursor, choices);
        var host = environment.Register(nameof(ScoredChoices));
        var tally = new ChoiceTally();
        VBuffer<float> sums = default;
        int predicted = 0, predictedByCharacters = 0;
        while (cursor.MoveNext())
        {
            host.CheckAlive();
            var row = cursor.Position;
            var texts = readChoices();
            readScores(ref sums);
            if (sums.Length != texts.Length || texts.Length == 0)
            {
                throw new ArgumentException(FormattableString.Invariant(
                    $"Row {row}, counted from 0, has {texts.Length} choices in column '{choices.Name}' and {sums.Length} scores in ") +
                    $"column '{scores.Name}': at least one is needed, and as many of both.");
            }
            readPrediction(ref predicted);
            readNormalized(ref predictedByCharacters);
            double[] exact = [.. sums.DenseValues()];
            tally.Add(Choice(row, labelColumnName, readAnswer(), texts.Length),
                Choice(row, predictions.Name, predicted, texts.Length),
                Choice(row, normalized.Name, predictedByCharacters, texts.Length),
                ChoiceScores.FirstGreatest(ChoiceScores.ByLength(exact, texts, ChoiceScores.Bytes)), texts.Length);
        }
        return tally.Count > 0 ? tally.ToMetrics() : throw new ArgumentException("The data has no rows to evaluate.");
    }

    private static int Choice(long row, string column, double index, int count) =>
        index >= 0 && index < count && double.IsInteger(index) ? (int)index : throw new ArgumentException(string.Create(
            CultureInfo.InvariantCulture, $"Row {row}, counted from 0, has {index} in column '{column}', which is none of its ") +
            string.Create(CultureInfo.InvariantCulture, $"{count} choices: they are counted from 0."));

    private DataViewSchema.Column Column(string name, DataViewType type)
    {
        if (scored.Schema.GetColumnOrNull(name) is not { } column)
        {
            throw new ArgumentException($"The data has no column '{name}', which a row scored by {TaskKind.MultipleChoice} " +
                $"has. It has {TextColumns.ColumnNames(scored.Schema)}.");
        }
        var isVector = type is VectorDataViewType;
        return column.Type is VectorDataViewType == isVector && column.Type.GetItemType().Equals(type.GetItemType())
            ? column : throw new ArgumentException($"The data must have column '{name}' of type {type}, found {column.Type}.");
    }
}
