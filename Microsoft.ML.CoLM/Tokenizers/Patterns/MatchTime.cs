namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The time that a pattern has for all matches in a text.</summary>
/// <param name="Characters">The text's length.</param>
/// <param name="Limit">The time.</param>
/// <param name="Deadline">The <see cref="Environment.TickCount64"/> at which it is over.</param>
internal readonly record struct MatchTime(int Characters, TimeSpan Limit, long Deadline)
{
    // Patterns come from files, and one that backtracks without end must not hang the program. A sound one needs
    // microseconds a match, and milliseconds for a match of a million characters: a hundredth of these.
    private static readonly TimeSpan LongestCharacter = TimeSpan.FromMicroseconds(2);

    /// <summary>Whether the time is over.</summary>
    public bool IsOver => Environment.TickCount64 > Deadline;

    /// <summary>Starts the time for a text.</summary>
    /// <param name="characters">The text's length.</param>
    /// <param name="longestMatch">The time that a single match may take.</param>
    public static MatchTime Start(int characters, TimeSpan longestMatch)
    {
        TimeSpan limit = longestMatch + characters * LongestCharacter;
        return new(characters, limit, Environment.TickCount64 + (long)limit.TotalMilliseconds);
    }
}
