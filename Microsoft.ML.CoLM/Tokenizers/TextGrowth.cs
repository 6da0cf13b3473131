using System.Globalization;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Keeps steps from files from making a text of any length.</summary>
internal static class TextGrowth
{
    // Steps that replace a character by a few do not come near it in texts that fit a model.
    private const int MostCharacters = 16 * 1024 * 1024;

    /// <summary>Refuses a step that makes a text too much longer.</summary>
    /// <param name="before">The text's length before the step.</param>
    /// <param name="after">Its length after it.</param>
    /// <exception cref="InvalidDataException">It is longer than before, and too long.</exception>
    public static void Check(long before, long after)
    {
        if (after > before && after > MostCharacters)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"A step of the tokenizer makes more than {MostCharacters} characters of a text of {before}."));
        }
    }
}
