namespace ForgettingStudy;

/// <summary>What elastic scoring adds to a story.</summary>
internal sealed class StoryScore
{
    public float LogProbability { get; set; }

    public int TokenCount { get; set; }
}
