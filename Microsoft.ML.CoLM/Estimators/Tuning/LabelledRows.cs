using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Rows with a label, as token ids.</summary>
/// <param name="Sequences">Token ids of each row, at least one.</param>
/// <param name="Labels">The index of each row's class, or its number.</param>
internal sealed record LabelledRows(int[][] Sequences, float[] Labels)
{
    /// <summary>Adds all rows to a fingerprint.</summary>
    public void AddTo(Fingerprint fingerprint)
    {
        fingerprint.Add(Sequences);
        fingerprint.Add<float>(Labels);
    }

    /// <summary>Reads rows that have a label and tokens, and says how many have not, or lose their end.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="what">What they are, for messages.</param>
    /// <param name="text">Their text columns.</param>
    /// <param name="label">Their label.</param>
    /// <param name="encode">Makes token ids of a text, and says whether some were left out.</param>
    /// <param name="channel">Told of rows that are left out.</param>
    /// <exception cref="ArgumentException">No row is left.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled meanwhile.</exception>
    public static LabelledRows Read(
        IDataView data, string what, TextColumns text, LabelColumn label, Func<RowText, (int[] Ids, bool IsCut)> encode,
        TrainingChannel channel)
    {
        var columns = text.In(data.Schema);
        using var cursor = data.GetRowCursor([.. columns, label.AsColumn()]);
        var reader = new RowTextReader(cursor, columns);
        var readLabel = label.GetterOf(cursor);
        List<int[]> sequences = [];
        List<float> labels = [];
        var (missing, empty, cut) = (0L, 0L, 0L);
        var value = float.NaN;
        while (cursor.MoveNext())
        {
            channel.ThrowIfCancelled();
            readLabel(ref value);
            if (!float.IsFinite(value))
            {
                missing++;
                continue;
            }
            var (ids, isCut) = encode(reader.Read());
            if (ids.Length == 0)
            {
                empty++;
                continue;
            }
            cut += isCut ? 1 : 0;
            sequences.Add(ids);
            labels.Add(value);
        }
        if (missing > 0)
            channel.Warn($"{missing} rows of {what} have no label in column '{label.Name}' and are left out.");
        if (empty > 0)
            channel.Warn($"{empty} rows of {what} have no text in column '{text.Names}' and are left out.");
        channel.WarnOfCutRows(cut, what, sequences.Count == 0 ? 0 : sequences.Max(ids => ids.Length));
        return sequences.Count > 0
            ? new([.. sequences], [.. labels])
            : throw new ArgumentException(
                $"No row of {what} has both a label in column '{label.Name}' and text in column '{text.Names}'.");
    }
}
