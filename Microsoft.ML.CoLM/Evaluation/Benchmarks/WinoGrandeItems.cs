using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>WinoGrande's items: which of two options fills a gap, told by how likely what follows the gap is.</summary>
internal static class WinoGrandeItems
{
    private const char Gap = '_';

    public static BenchmarkItem Read(JsonField item)
    {
        var sentence = item["sentence"].Text;
        var gap = sentence.IndexOf(Gap, StringComparison.Ordinal);
        var rest = gap < 0 ? "" : PythonText.Strip(sentence[(gap + 1)..]);
        if (rest.Length == 0)
            throw item["sentence"].Refuse($"a sentence that goes on after a gap '{Gap}'");
        var before = sentence[..gap];
        return new()
        {
            Contexts = [before + item["option1"].Text, before + item["option2"].Text],
            Choices = [rest, rest],
            Label = Answers.Index(item["answer"], 2, first: 1),
        };
    }
}
