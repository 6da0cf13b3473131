namespace Microsoft.ML.CoLM.Text;

/// <summary>Refuses options: every refusal names the option, what was expected and what was found.</summary>
internal static class OptionCheck
{
    /// <summary>Throws where a condition does not hold.</summary>
    /// <param name="holds">The condition.</param>
    /// <param name="option">The option's name.</param>
    /// <param name="found">Its value, or what is wrong with it.</param>
    /// <param name="expected">What would have been right, behind the words "must be".</param>
    /// <exception cref="ArgumentException">The condition does not hold.</exception>
    public static void That(bool holds, string option, object? found, string expected)
    {
        if (!holds)
            throw Wrong(option, expected, found);
    }

    /// <summary>The error that refuses an option.</summary>
    /// <param name="option">The option's name.</param>
    /// <param name="expected">What would have been right, behind the words "must be".</param>
    /// <param name="found">Its value, or what is wrong with it.</param>
    public static ArgumentException Wrong(string option, string expected, object? found) =>
        new(FormattableString.Invariant($"{option} must be {expected}, found {found}."), option);
}
