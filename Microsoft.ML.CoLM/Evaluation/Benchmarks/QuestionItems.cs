using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>OpenBookQA's and ARC's items: a question with labelled choices.</summary>
internal static class QuestionItems
{
    public static BenchmarkItem ReadOpenBook(JsonField item) => Read(item, "question_stem", stem => stem);

    public static BenchmarkItem ReadArc(JsonField item) => Read(item, "question", stem => $"Question: {stem}\nAnswer:");

    // Published files have stem and choices inside of "question", exports in rows have them beside each other.
    private static BenchmarkItem Read(JsonField item, string flatStemName, Func<string, string> context)
    {
        var question = item["question"];
        var (stem, choices) = question.IsObject
            ? (question["stem"], question["choices"])
            : (item[flatStemName], item["choices"]);
        var (texts, right) = Choices.Labelled(choices, item["answerKey"]);
        return new() { Context = context(stem.Text), Choices = texts, Label = right };
    }
}
