using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads two columns of numbers.</summary>
internal static class NumberPairs
{
    /// <summary>The correlation of scores with labels.</summary>
    /// <param name="mlContext">Told how many rows have no label.</param>
    /// <param name="scored">The rows.</param>
    /// <param name="labelName">The column of labels.</param>
    /// <param name="scoreName">The column of scores.</param>
    /// <exception cref="ArgumentException">As in <see cref="Read"/>.</exception>
    /// <exception cref="InvalidOperationException">As in <see cref="Read"/>.</exception>
    public static CorrelationMetrics Evaluate(MLContext mlContext, IDataView scored, string labelName, string scoreName)
    {
        using var channel = ((IHostEnvironment)mlContext).Start("Correlation");
        var (labels, scores) = Read(scored, labelName, scoreName, channel.Warning);
        return new()
        {
            PearsonCorrelation = Correlation.Pearson(labels, scores),
            SpearmanCorrelation = Correlation.Spearman(labels, scores),
            Count = labels.Length,
        };
    }

    /// <summary>The labels, and the scores beside them, of all rows that have a label.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="labelName">The column of labels.</param>
    /// <param name="scoreName">The column of scores.</param>
    /// <param name="warn">Told how many rows have no label.</param>
    /// <exception cref="ArgumentException">A column is missing or has no numbers, or no row has a label.</exception>
    /// <exception cref="InvalidOperationException">A number is not finite, and no label is missing by that.</exception>
    public static (double[] Labels, double[] Scores) Read(
        IDataView data, string labelName, string scoreName, Action<string> warn)
    {
        var labelColumn = NumberColumn(data.Schema, labelName, "label");
        var scoreColumn = NumberColumn(data.Schema, scoreName, "score");
        using var cursor = data.GetRowCursor([labelColumn, scoreColumn]);
        var (readLabel, readScore) = (Getter(cursor, labelColumn), Getter(cursor, scoreColumn));
        List<double> labels = [], scores = [];
        var missing = 0L;
        while (cursor.MoveNext())
        {
            var label = readLabel();
            if (double.IsNaN(label))
            {
                missing++;
                continue;
            }
            labels.Add(Finite(label, labelName, cursor.Position));
            scores.Add(Finite(readScore(), scoreName, cursor.Position));
        }
        if (missing > 0)
            warn($"{missing} rows have no label in column '{labelName}' and are left out.");
        return labels.Count > 0 ? ([.. labels], [.. scores])
            : throw new ArgumentException($"No row of the data has a label in column '{labelName}'.");
    }

    private static DataViewSchema.Column NumberColumn(DataViewSchema schema, string name, string role)
    {
        if (schema.GetColumnOrNull(name) is not { } column)
            throw new ArgumentException($"The data has no {role} column '{name}'. It has {TextColumns.ColumnNames(schema)}.");
        return column.Type is NumberDataViewType { RawType: var type } &&
            (type == typeof(float) || type == typeof(double) || type == typeof(int))
            ? column
            : throw new ArgumentException($"Column '{name}' must be Single, Double or Int32, found {column.Type}.");
    }

    private static Func<double> Getter(DataViewRow row, DataViewSchema.Column column) =>
        column.Type.RawType == typeof(float) ? Getter<float>(row, column, value => value)
        : column.Type.RawType == typeof(double) ? Getter<double>(row, column, value => value)
        : Getter<int>(row, column, value => value);

    private static Func<double> Getter<T>(DataViewRow row, DataViewSchema.Column column, Func<T, double> convert)
        where T : struct
    {
        var get = row.GetGetter<T>(column);
        return () =>
        {
            T value = default;
            get(ref value);
            return convert(value);
        };
    }

    private static double Finite(double number, string name, long row) => double.IsFinite(number) ? number
        : throw new InvalidOperationException(string.Create(
            CultureInfo.InvariantCulture, $"Column '{name}' must be finite, found {number} in row {row}, counted from 0."));
}
