namespace Samples;

/// <summary>A small story, and what it is about.</summary>
internal sealed class Story
{
    public string Text { get; set; } = "";

    /// <summary>What its hero is: dog, cat, bird and so on.</summary>
    public string Animal { get; set; } = "";

    /// <summary>How its hero feels: happy, sad, brave and so on.</summary>
    public string Mood { get; set; } = "";
}
