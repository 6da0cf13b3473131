namespace ForgettingStudy;

/// <summary>A row to tune on.</summary>
internal sealed class Sentence
{
    public string Text { get; set; } = "";

    public string Label { get; set; } = "";
}
