namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Text that is Unicode: .NET's strings may hold halves of surrogate pairs, which are no characters.</summary>
internal static class UnicodeText
{
    private const char Replacement = '\uFFFD';

    /// <summary>The text with U+FFFD for each half of a surrogate pair; as long as it was.</summary>
    public static string WithoutHalves(string text)
    {
        char[]? changed = null;
        for (int i = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF'); i >= 0 && i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                i++;
            else
                (changed ??= text.ToCharArray())[i] = Replacement;
        }
        return changed is null ? text : new(changed);
    }
}
