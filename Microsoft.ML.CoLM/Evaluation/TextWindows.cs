using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>How sequences that are longer than a window are divided.</summary>
/// <param name="Length">Tokens of a window, at least 2; null takes the model's context.</param>
/// <param name="Stride">
/// Tokens that windows advance by, at least 1; null takes half a window. As many as a window has make windows that read so many
/// and predict as many, each token of a text behind its prefix token.
/// </param>
internal readonly record struct TextWindows(int? Length, int? Stride)
{
    // The options' name for a length.
    private const string Window = "Window";

    /// <summary>The windows in which each token after the first is scored once, with what they hold of its past.</summary>
    /// <param name="sequence">Which sequence.</param>
    /// <param name="tokenCount">Its tokens.</param>
    /// <param name="config">The model.</param>
    public IEnumerable<ScoringWindow> Scoring(int sequence, int tokenCount, CoLMConfig config) =>
        AreDisjoint(config)
            ? ScoringWindow.Disjoint(sequence, tokenCount, Length ?? config.ContextLength)
            : ScoringWindow.Over(sequence, tokenCount, Length ?? config.ContextLength, Stride);

    /// <summary>Whether no window predicts from more of the one before than its last token.</summary>
    public bool AreDisjoint(CoLMConfig config) => Stride == (Length ?? config.ContextLength);

    /// <summary>
    /// The windows in which each token is read once. A scoring window reads all its tokens but the last, which it predicts;
    /// here every token is read, so there is one more to predict.
    /// </summary>
    /// <param name="sequence">Which sequence.</param>
    /// <param name="tokenCount">Its tokens.</param>
    /// <param name="config">The model.</param>
    public IEnumerable<ScoringWindow> Reading(int sequence, int tokenCount, CoLMConfig config) =>
        ScoringWindow.Over(
            sequence, tokenCount + 1, Math.Min(Length ?? config.ContextLength, int.MaxValue - 1) + 1, Stride);

    /// <summary>Refuses what no window can be; the message names the option.</summary>
    /// <exception cref="ArgumentException">A length or a stride is out of range.</exception>
    public void Check()
    {
        if (Length < 2)
            throw OptionCheck.Wrong(Window, "at least 2 tokens", Length);
        if (Stride < 1)
            throw OptionCheck.Wrong(nameof(Stride), "at least 1 token", Stride);
        if (Stride > Length)
            throw OptionCheck.Wrong(nameof(Stride), $"at most the window of {Length} tokens", Stride);
    }

    /// <summary>Refuses a model that the windows do not fit.</summary>
    /// <exception cref="ArgumentException">A window is longer than the model's context, or the stride is longer.</exception>
    public void CheckFits(CoLMConfig config)
    {
        if (Length > config.ContextLength)
        {
            throw OptionCheck.Wrong(Window,
                $"at most the model's context of {config.ContextLength} tokens", Length);
        }
        if (Length is null && Stride > config.ContextLength)
        {
            throw OptionCheck.Wrong(nameof(Stride),
                $"at most the window, the model's context of {config.ContextLength} tokens", Stride);
        }
    }
}
