namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The choices of a row, and the text before each.</summary>
/// <param name="Row">The row's position.</param>
/// <param name="Contexts">The texts before the choices: one for each, or one for all.</param>
/// <param name="HasOneContext">Whether it is one for all.</param>
/// <param name="Choices">The choices; a missing one is empty.</param>
internal readonly record struct RowChoices(long Row, string[] Contexts, bool HasOneContext, string[] Choices)
{
    /// <summary>The text before each choice.</summary>
    /// <exception cref="ArgumentException">There is no choice, or there are more or fewer contexts; the message names the row.</exception>
    public string[] ContextOfEach(TextColumns columns)
    {
        if (Choices.Length == 0)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"Row {Row}, counted from 0, has no choice in column '{columns.Second}': at least one is needed."));
        }
        if (HasOneContext)
            return [.. Enumerable.Repeat(Contexts[0], Choices.Length)];
        return Contexts.Length == Choices.Length ? Contexts : throw new ArgumentException(FormattableString.Invariant(
            $"Row {Row}, counted from 0, must have as many texts in column '{columns.First}' as choices in column ") +
            FormattableString.Invariant($"'{columns.Second}', {Choices.Length}, found {Contexts.Length}."));
    }
}
