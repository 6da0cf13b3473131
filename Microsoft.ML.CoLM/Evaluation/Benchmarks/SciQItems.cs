using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>SciQ's items: a question after a passage that may be empty; the right choice is always the last.</summary>
internal static class SciQItems
{
    private static readonly string[] ChoiceNames = ["distractor1", "distractor2", "distractor3", "correct_answer"];

    public static BenchmarkItem Read(JsonField item) => new()
    {
        Context = $"{PythonText.StripStart(item["support"].Text)}\nQuestion: {item["question"].Text}\nAnswer:",
        Choices = Array.ConvertAll(ChoiceNames, name => item[name].Text),
        Label = ChoiceNames.Length - 1,
    };
}
