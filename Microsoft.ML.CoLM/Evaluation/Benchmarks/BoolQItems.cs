using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>BoolQ's items: yes or no about a passage.</summary>
internal static class BoolQItems
{
    private static readonly string[] NoYes = ["no", "yes"];

    public static BenchmarkItem Read(JsonField item) => new()
    {
        Context = $"{item["passage"].Text}\nQuestion: {item["question"].Text}?\nAnswer:",
        Choices = NoYes,
        Label = Answers.Flag(item["answer"].IsMissing && !item["label"].IsMissing ? item["label"] : item["answer"]),
    };
}
