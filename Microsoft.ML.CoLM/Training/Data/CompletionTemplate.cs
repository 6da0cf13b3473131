using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// A format string with a prompt's place, <c>{0}</c>, and, behind it, its response's, <c>{1}</c>: what stands before the
/// response is given, the rest is learnt.
/// </summary>
internal sealed class CompletionTemplate
{
    // Characters that no text has a use for stand in for the texts.
    private const string PromptMark = "\u0001";
    private const string ResponseMark = "\u0002";

    private readonly string[] _given;
    private readonly string _end;

    /// <exception cref="ArgumentException">It is no such format string.</exception>
    public CompletionTemplate(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Text = text;
        string formatted;
        try
        {
            formatted = string.Format(CultureInfo.InvariantCulture, text, PromptMark, ResponseMark);
        }
        catch (FormatException e)
        {
            throw Wrong(e);
        }
        var parts = formatted.Split(ResponseMark);
        _given = parts[0].Split(PromptMark);
        if (parts.Length != 2 || _given.Length != 2 || parts[1].Contains(PromptMark, StringComparison.Ordinal))
            throw Wrong(null);
        _end = parts[1];

        ArgumentException Wrong(Exception? cause) => new(
            $"Template must be a format string with {{0}} for the prompt and, behind it, {{1}} for the response, each once, " +
            $"found \"{text}\".", nameof(text), cause);
    }

    /// <summary>The format string.</summary>
    public string Text { get; }

    /// <summary>The text that a model continues with the response.</summary>
    public string Prompt(string prompt) => _given[0] + prompt + _given[1];

    /// <summary>Token ids of a prompt and its response, with an end-of-text token where the model has one.</summary>
    /// <remarks>
    /// The prompt's tokens are those that it has by itself, since a model that generates reads it alone; the response's are
    /// those that follow them in the whole text, or, where the whole text is cut into tokens elsewhere, its own.
    /// </remarks>
    /// <exception cref="ArgumentException">A token is outside the model's vocabulary.</exception>
    public CompletionTokens Encode(
        Tokenizer tokenizer, CoLMConfig config, string prompt, string response, string columns,
        Action? checkAlive = null)
    {
        TextPart[] given = PromptParts(prompt);
        TextPart[] rest = [new(response, false), new(_end, true)];
        var ids = Tokens(given);
        var whole = Tokens([.. given, .. rest]);
        int[] added = whole.AsSpan().StartsWith(ids) ? whole[ids.Length..] : Own(Tokens(rest), tokenizer, config);
        var endsAlready = added.Length > 0 && config.EosTokenIds.Contains(added[^1]);
        return config.EosTokenIds.Count == 0 || endsAlready
            ? new([.. ids, .. added], ids.Length)
            : new([.. ids, .. added, config.EosTokenIds[0]], ids.Length);

        int[] Tokens(IReadOnlyList<TextPart> parts) =>
            config.CheckedTokenIds(tokenizer.EncodePrompt(parts, config.BosTokenId, checkAlive), columns);
    }

    // Special tokens that the template spells are always parsed, those of the prompt where the tokenizer parses them.
    private TextPart[] PromptParts(string prompt) => [new(_given[0], true), new(prompt, false), new(_given[1], true)];

    private static int[] Own(int[] ids, Tokenizer tokenizer, CoLMConfig config) => tokenizer is ModelTokenizer model
        ? ids[model.Template.Before.Count..]
        : ids.Length > 0 && ids[0] == config.BosTokenId ? ids[1..] : ids;
}
