using Microsoft.ML;
using Samples;

namespace ClusterSample.Commands;

/// <summary>Rows to score.</summary>
internal static class Rows
{
    private const int Seed = 7;

    /// <summary>Generated stories, numbered; never all of them in memory.</summary>
    public static IDataView Stories(MLContext mlContext, int count) => mlContext.Data.LoadFromEnumerable(Write(count));

    /// <summary>The texts of a file of JSON lines.</summary>
    public static IDataView Texts(MLContext mlContext, string path) => mlContext.Data.LoadFromEnumerable(
        JsonLines.Texts(path).Select((text, index) => new NumberedText { Number = index, Text = text }));

    private static IEnumerable<NumberedText> Write(int count)
    {
        var stories = new StoryGenerator(Seed);
        for (var i = 0; i < count; i++)
            yield return new NumberedText { Number = i, Text = stories.Write() };
    }
}
