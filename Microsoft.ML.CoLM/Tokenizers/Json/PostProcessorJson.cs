using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads the <c>post_processor</c> of a <c>tokenizer.json</c>: which tokens stand around a text.</summary>
internal static class PostProcessorJson
{
    /// <summary>Reads it.</summary>
    /// <param name="field">The post-processor; where it is missing, texts stand alone.</param>
    /// <param name="isToken">Whether an id is a token's.</param>
    /// <exception cref="InvalidDataException">It is damaged, or of a kind that is not supported.</exception>
    public static TextTemplate Read(JsonField field, Func<int, bool> isToken)
    {
        IReadOnlyList<JsonField> steps =
            field.IsOfType("Sequence") ? field["processors"].Items :
            field.IsMissing ? [] : [field];
        TextTemplate? template = null;
        foreach (JsonField step in steps)
        {
            // A "ByteLevel" step corrects the places of tokens in the text and changes no id.
            if (step.IsOfType("ByteLevel"))
                continue;
            bool isTemplate = step.IsOfType("TemplateProcessing");
            if (template is not null || !(isTemplate || step.IsOfType("RobertaProcessing") || step.IsOfType("BertProcessing")))
            {
                throw step["type"].Refuse(
                    "\"ByteLevel\", or once \"TemplateProcessing\", \"RobertaProcessing\" or \"BertProcessing\"");
            }
            template = isTemplate
                ? ReadTemplate(step, isToken)
                : new([ReadPair(step["cls"], isToken)], [ReadPair(step["sep"], isToken)]);
        }
        return template ?? TextTemplate.Empty;
    }

    private static TextTemplate ReadTemplate(JsonField template, Func<int, bool> isToken)
    {
        JsonField single = template["single"];
        List<int> before = [];
        List<int>? behind = null;
        foreach (JsonField part in single.Items)
        {
            if (!part["SpecialToken"].IsMissing)
            {
                JsonField ids = template["special_tokens"][part["SpecialToken"]["id"].Text]["ids"];
                if (ids.Items.Count == 0 || !ids.Items.All(id => isToken(id.TokenId)))
                    throw ids.Refuse("ids of tokens");
                (behind ?? before).AddRange(ids.Items.Select(id => id.TokenId));
            }
            else if (behind is null && !part["Sequence"].IsMissing)
            {
                part["Sequence"]["id"].RequireText("A");
                behind = [];
            }
            else
            {
                throw part.Refuse("a special token, or once the text");
            }
        }
        return behind is null ? throw single.Refuse("the text, and special tokens around it") : new(before, behind);
    }

    // A token's text and its id.
    private static int ReadPair(JsonField pair, Func<int, bool> isToken) =>
        pair.Items is [_, JsonField id] && isToken(id.TokenId) ? id.TokenId : throw pair.Refuse("a token and its id");
}
