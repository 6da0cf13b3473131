using Microsoft.ML;
using Samples;

namespace ClusterSample.Commands;

/// <summary>Rows to score.</summary>
internal static class Rows
{
    private const int Seed = 7;

    private const int MostSentences = 3;
    private const string EndOfSentence = ". ";

    /// <summary>Beginnings of generated stories, of one to three sentences, numbered; never all of them in memory.</summary>
    public static IDataView Stories(MLContext mlContext, int count) => mlContext.Data.LoadFromEnumerable(Write(count));

    /// <summary>The texts of a file of JSON lines.</summary>
    public static IDataView Texts(MLContext mlContext, string path) => mlContext.Data.LoadFromEnumerable(
        JsonLines.Texts(path).Select((text, index) => new NumberedText { Number = index, Text = text }));

    private static IEnumerable<NumberedText> Write(int count)
    {
        var stories = new StoryGenerator(Seed);
        for (var i = 0; i < count; i++)
            yield return new NumberedText { Number = i, Text = Beginning(stories.Write(), 1 + i % MostSentences) };
    }

    private static string Beginning(string story, int sentences) =>
        string.Join(EndOfSentence, story.Split(EndOfSentence).Take(sentences)) + EndOfSentence;
}
