using System.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What the log-probabilities of texts are divided by.</summary>
/// <param name="Tokens">Tokens scored.</param>
/// <param name="Bytes">Bytes of the texts in UTF-8.</param>
/// <param name="Words">Pieces that runs of white space divide the texts into.</param>
internal readonly record struct TextCounts(long Tokens, long Bytes, long Words)
{
    /// <summary>With a text more.</summary>
    public TextCounts Plus(ReadOnlySpan<char> text, int tokens) =>
        new(Tokens + tokens, Bytes + Encoding.UTF8.GetByteCount(text), Words + CountPieces(text));

    // As Python's re.split(r"\s+", text) counts them, which lm-evaluation-harness does: a text that begins or ends with white
    // space has an empty piece there, and an empty text is one.
    private static long CountPieces(ReadOnlySpan<char> text)
    {
        var (pieces, isBehindSpace) = (1L, false);
        foreach (var character in text)
        {
            var isSpace = PythonText.IsSpace(character);
            if (isSpace && !isBehindSpace)
                pieces++;
            isBehindSpace = isSpace;
        }
        return pieces;
    }
}
