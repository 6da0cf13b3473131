using System.Globalization;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>
/// A context with each of its choices behind it as token ids, as EleutherAI's lm-evaluation-harness (commit 4e7e0d4) has
/// them, whose published scores others are compared with.
/// </summary>
/// <remarks>
/// The continuation is a space and the choice, behind the context's own trailing white space; its tokens are those of the
/// whole text behind as many as the context has. Where that leaves none, since the choice was merged into the context's last
/// token, it is encoded apart, which the harness does not. No end token stands behind it, whatever the tokenizer puts behind a
/// document.
/// </remarks>
internal sealed class ChoiceEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly CoLMConfig _config;
    private readonly (string Context, string Choices) _columns;
    private readonly Action? _checkAlive;
    private readonly int? _beginning;

    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="config">The model.</param>
    /// <param name="contextColumn">Where contexts come from, for messages.</param>
    /// <param name="choicesColumn">Where choices come from, for messages.</param>
    /// <param name="checkAlive">Called often; what it throws ends encoding.</param>
    public ChoiceEncoder(
        Tokenizer tokenizer, CoLMConfig config, string contextColumn, string choicesColumn, Action? checkAlive = null)
    {
        (_tokenizer, _config, _columns, _checkAlive) = (tokenizer, config, (contextColumn, choicesColumn), checkAlive);
        _beginning = tokenizer.BeginningOfText();
    }

    /// <summary>Encodes the choices of a row.</summary>
    /// <param name="row">The row, for messages.</param>
    /// <param name="contexts">The text before each choice.</param>
    /// <param name="choices">The choices, at least one.</param>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary, or a choice has none, or there is nothing before it, and the model has no
    /// token that begins or ends a text; the message names the row.
    /// </exception>
    public CompletionTokens[] Encode(long row, IReadOnlyList<string> contexts, IReadOnlyList<string> choices)
    {
        var encoded = new CompletionTokens[choices.Count];
        var (context, given, space) = ((string?)null, Array.Empty<int>(), "");
        for (var i = 0; i < encoded.Length; i++)
        {
            if (i == 0 || contexts[i] != contexts[i - 1])
            {
                context = PythonText.StripEnd(contexts[i]);
                space = contexts[i][context.Length..];
                given = Tokens(context, _columns.Context);
            }
            var continuation = space + ' ' + choices[i];
            var whole = Tokens(context + continuation, _columns.Choices);
            var added = whole.Length > given.Length ? whole[given.Length..] : Own(Tokens(continuation, _columns.Choices));
            if (added.Length == 0)
            {
                throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                    $"Row {row}, counted from 0, has no token of choice {i} in column '{_columns.Choices}', \"{choices[i]}\"."));
            }
            encoded[i] = given.Length > 0 ? new([.. given, .. added], given.Length) : Begun(row, added);
        }
        return encoded;
    }

    private CompletionTokens Begun(long row, int[] added)
    {
        var first = _beginning ?? _config.BosTokenId ?? (_config.EosTokenIds.Count > 0 ? _config.EosTokenIds[0] : null as int?)
            ?? throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"Row {row}, counted from 0, has no text in column '{_columns.Context}', and the model has no token that " +
                $"begins or ends a text to stand in its place."));
        return added.Length > 1 && added[0] == first ? new(added, 1) : new([first, .. added], 1);
    }

    private int[] Tokens(string text, string column) => _config.CheckedTokenIds(
        _tokenizer.EncodePrompt(text, _beginning, _checkAlive), column);

    private int[] Own(int[] ids) => ids.Length > 0 && ids[0] == _beginning ? ids[1..] : ids;
}
