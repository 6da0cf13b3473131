using System.Globalization;
using System.Text;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>PIQA's items: which of two ways reaches a goal. The published answers are in a file of their own.</summary>
internal static class PiqaItems
{
    private const int ChoiceCount = 2;
    private const long LongestLine = 1000;

    public static List<BenchmarkItem> Read(string path, string? labelsPath)
    {
        if (labelsPath is null)
            return TaskItems.Read(path, item => Read(item, LabelOf(item)));
        var labels = ReadLabels(labelsPath);
        var count = 0;
        var items = TaskItems.Read(path, item => Read(item, labels.ElementAtOrDefault(count++)));
        return count == labels.Count ? items : throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
            $"{labelsPath}: expected {count} labels, a line for each item of {path}, found {labels.Count}."));
    }

    private static BenchmarkItem Read(JsonField item, int label) => new()
    {
        Context = $"Question: {item["goal"].Text}\nAnswer:",
        Choices = [item["sol1"].Text, item["sol2"].Text],
        Label = label,
    };

    private static int LabelOf(JsonField item) => item["label"].IsMissing
        ? throw item["label"].Refuse("0 or 1, or a file of labels, a line for each item, as labelsPath")
        : Answers.Index(item["label"], ChoiceCount);

    private static List<int> ReadLabels(string path)
    {
        List<int> labels = [];
        foreach (var (number, line) in FileLines.Read(path, FileLimits.TaskArray, LongestLine))
        {
            var text = Encoding.UTF8.GetString(line);
            labels.Add(Answers.TryIndex(text, ChoiceCount) ?? throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture, $"{path}, line {number}: label: expected 0 or 1, found {ErrorText.Quote(text)}.")));
        }
        return labels;
    }
}
