using Samples;

namespace ForgettingStudy;

/// <summary>Reads stories: JSON lines with a <c>text</c>.</summary>
internal static class StoryFile
{
    /// <exception cref="InvalidDataException">A line is not JSON, or has no text; or there is no story.</exception>
    public static Story[] Read(string path)
    {
        Story[] stories = [.. JsonLines.Texts(path).Select(text => new Story { Text = text })];
        return stories.Length > 0 ? stories : throw new InvalidDataException($"{path}: no stories.");
    }
}
