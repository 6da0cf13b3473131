using System.Globalization;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Makes items of what a file of a GLUE task has in its columns, or in its JSON objects.</summary>
/// <param name="task">The task.</param>
internal sealed class GlueItems(GlueTask task)
{
    private const float LargestSimilarity = 5;

    /// <summary>What could have stood in a label's place, for messages.</summary>
    public string ExpectedLabel => task.Choices.Length == 0
        ? "a number from 0 to 5, which published test files lack"
        : Answers.Expected(task.Choices.Length, names: task.ClassNames);

    /// <summary>An item of an exported row.</summary>
    /// <exception cref="InvalidDataException">A field is missing, or the label is none.</exception>
    public BenchmarkItem Read(JsonField row)
    {
        var label = Field(row, task.Label);
        return Create(
            Field(row, task.Text).Text,
            task.SecondText is null ? "" : Field(row, task.SecondText).Text,
            label.IsMissing ? throw label.Refuse(ExpectedLabel) : label.ScalarText) ?? throw label.Refuse(ExpectedLabel);
    }

    /// <summary>An item; null where the label is none.</summary>
    public BenchmarkItem? Create(string text, string secondText, string label)
    {
        if (task.Choices.Length == 0)
        {
            return TryReadSimilarity(label) is { } similarity
                ? new() { Text = text, SecondText = secondText, Similarity = similarity }
                : null;
        }
        return TryReadClass(label) is { } index
            ? new()
            {
                Text = text,
                SecondText = secondText,
                Context = task.Context(text, secondText),
                Choices = task.Choices,
                Label = index,
            }
            : null;
    }

    /// <summary>Whether a text can be a label.</summary>
    public bool IsLabel(string text) =>
        task.Choices.Length == 0 ? TryReadSimilarity(text) is not null : TryReadClass(text) is not null;

    private int? TryReadClass(string text) => Answers.TryIndex(text, task.Choices.Length, names: task.ClassNames);

    private static float? TryReadSimilarity(string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) &&
        number is >= 0 and <= LargestSimilarity ? number : null;

    // The first of the names that the row has; the exports' own where it has none.
    private static JsonField Field(JsonField row, GlueColumn column)
    {
        var name = Array.Find(column.Names, known => !row[known].IsMissing) ?? column.Names[^1];
        return row[name];
    }
}
