namespace Microsoft.ML.CoLM.Generation;

/// <summary>Looks for stop texts at the end of a text that grows.</summary>
internal sealed class StopDetector(IReadOnlyList<string> stopTexts)
{
    // An array, since enumerating it allocates nothing.
    private readonly string[] _stopTexts = [.. stopTexts];

    /// <summary>Finds the stop text that is complete first; of those with the same end the longest.</summary>
    /// <param name="text">The text; where it grew, from the part on that <see cref="HeldBack"/> told to keep.</param>
    /// <param name="start">Where the stop text begins.</param>
    /// <returns>False when the text has none.</returns>
    public bool TryFind(ReadOnlySpan<char> text, out int start)
    {
        (start, var end) = (0, int.MaxValue);
        foreach (var stop in _stopTexts)
        {
            var found = text.IndexOf(stop);
            if (found < 0 || found + stop.Length > end || (found + stop.Length == end && found > start))
                continue;
            (start, end) = (found, found + stop.Length);
        }
        return end != int.MaxValue;
    }

    /// <summary>How many characters at the text's end may be the beginning of a stop text.</summary>
    public int HeldBack(ReadOnlySpan<char> text)
    {
        var heldBack = 0;
        foreach (var stop in _stopTexts)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > heldBack; length--)
            {
                if (!text.EndsWith(stop.AsSpan(0, length)))
                    continue;
                heldBack = length;
            }
        }
        return heldBack;
    }
}
