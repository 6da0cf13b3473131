namespace ForgettingStudy;

/// <summary>A story.</summary>
internal sealed class Story
{
    public string Text { get; set; } = "";
}
