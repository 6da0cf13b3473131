using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads the <c>decoder</c> of a <c>tokenizer.json</c>: how its tokens become text.</summary>
internal static class DecoderJson
{
    // Real files have four.
    private const int MostSteps = 64;

    /// <summary>Reads it; where it is missing, there are spaces between tokens.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or of a kind that is not supported.</exception>
    public static TextDecoding Read(JsonField field)
    {
        if (field.IsMissing)
            return new(next => new JoinStep(next));
        IReadOnlyList<JsonField> items = field.IsOfType("Sequence") ? field["decoders"].Items : [field];
        if (items.Count > MostSteps)
            throw field["decoders"].Refuse($"at most {MostSteps} steps (there are {items.Count})");
        List<Func<TokenSink, TokenSink>> steps = [];
        var isFused = false;
        foreach (JsonField item in items)
        {
            if (item.IsOfType("Fuse"))
            {
                isFused = true;
                continue;
            }
            steps.Add(isFused ? ReadFused(item) : ReadStep(item));
            // It makes one text of all tokens, too.
            isFused |= item.IsOfType("ByteLevel");
        }
        return new([.. steps]);
    }

    private static Func<TokenSink, TokenSink> ReadStep(JsonField step)
    {
        if (step.IsOfType("ByteLevel"))
            return next => new ByteLevelStep(next);
        if (step.IsOfType("ByteFallback"))
            return next => new ByteFallbackStep(next);
        if (step.IsOfType("Replace"))
        {
            JsonField pattern = step["pattern"]["String"];
            if (pattern.Text.Length == 0)
                throw pattern.Refuse("at least one character");
            (string replaced, string content) = (pattern.Text, step["content"].Text);
            return next => new ReplaceStep(replaced, content, next);
        }
        if (step.IsOfType("Strip"))
        {
            (char character, int start, int end) = (ReadCharacter(step["content"]), step["start"].TokenId, step["stop"].TokenId);
            return next => new StripStep(character, start, end, next);
        }
        if (step.IsOfType("Metaspace"))
        {
            char replacement = ReadCharacter(step["replacement"]);
            bool takesSpace = TakesSpace(step);
            return next => new MetaspaceStep(replacement, takesSpace, next);
        }
        if (step.IsOfType("BPEDecoder"))
        {
            string suffix = step["suffix"].Text;
            if (suffix.Length == 0)
                throw step["suffix"].Refuse("at least one character");
            return next => new WordEndStep(suffix, next);
        }
        throw step["type"].Refuse(
            "\"ByteLevel\", \"ByteFallback\", \"Replace\", \"Strip\", \"Fuse\", \"Metaspace\", \"BPEDecoder\" or \"Sequence\"");
    }

    // What follows Fuse sees all of the text as one token, of which a stream has only the beginning.
    private static Func<TokenSink, TokenSink> ReadFused(JsonField step)
    {
        step["type"].RequireText("Strip");
        if (step["stop"].TokenId != 0)
            throw step["stop"].Refuse("0 behind a step that makes one text of all tokens");
        (char character, int start) = (ReadCharacter(step["content"]), step["start"].TokenId);
        return next => new StripStartStep(character, start, next);
    }

    private static char ReadCharacter(JsonField field) =>
        field.Text.Length == 1 ? field.Text[0] : throw field.Refuse("one character of the basic plane");

    // Files from before 2024 say add_prefix_space.
    private static bool TakesSpace(JsonField step)
    {
        JsonField scheme = step["prepend_scheme"];
        if (scheme.IsMissing)
            return step["add_prefix_space"].Flag(defaultValue: true);
        return scheme.Text is "always" or "first" or "never"
            ? scheme.Text != "never"
            : throw scheme.Refuse("\"always\", \"first\" or \"never\"");
    }
}
