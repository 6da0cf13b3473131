using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Reads an item's choices.</summary>
internal static class Choices
{
    private const int Fewest = 2;

    /// <summary>The texts of an array, two or more.</summary>
    public static string[] Texts(JsonField array) => Texts(array, item => item.Text);

    /// <summary>
    /// The texts of labelled choices, and which of them is right: an array of objects with <c>text</c> and <c>label</c>,
    /// or an object with an array of each.
    /// </summary>
    public static (string[] Texts, int Right) Labelled(JsonField choices, JsonField answerKey)
    {
        string[] texts, labels;
        if (choices.IsArray)
        {
            texts = Texts(choices, choice => choice["text"].Text);
            labels = Texts(choices, choice => choice["label"].ScalarText);
        }
        else
        {
            texts = Texts(choices["text"]);
            labels = Texts(choices["label"], label => label.ScalarText);
            if (labels.Length != texts.Length)
                throw choices["label"].Refuse(FormattableString.Invariant($"{texts.Length} labels, as there are texts"));
        }
        if (labels.Distinct(StringComparer.Ordinal).Count() != labels.Length)
            throw choices.Refuse("choices with different labels");
        var expected = $"one of the choices' labels, {string.Join(", ", labels)}, which published test files may lack";
        if (answerKey.IsMissing)
            throw answerKey.Refuse(expected);
        var right = Array.IndexOf(labels, answerKey.ScalarText.Trim());
        return right >= 0 ? (texts, right) : throw answerKey.Refuse(expected);
    }

    private static string[] Texts(JsonField array, Func<JsonField, string> read)
    {
        var items = array.Items;
        return items.Count >= Fewest ? [.. items.Select(read)] : throw array.Refuse("two choices or more");
    }
}
