using System.Text.RegularExpressions;
using Microsoft.ML;
using Samples;

namespace Evaluate;

/// <summary>Items made of generated stories: which of four goes on as the story did, the others being of other stories.</summary>
internal static class StoryTasks
{
    // Not that of the stories which QuickStart's model is trained on.
    private const int Seed = 20;
    private const int Count = 100;
    private const int ChoiceCount = 4;

    /// <summary>Stories that the model was not trained on.</summary>
    public static IEnumerable<string> Texts()
    {
        var generator = new StoryGenerator(Seed);
        return Enumerable.Range(0, Count).Select(_ => generator.Write());
    }

    /// <summary>Tasks of parts that the story has told before: who, what and where; and of its ending.</summary>
    public static IReadOnlyList<ChoiceTask> Make(MLContext mlContext) =>
    [
        Make(mlContext, "Hero", @"(.*One day) (\w+ went)"),
        Make(mlContext, "Thing", @"(.*""Is this your) (.*?\?"")"),
        Make(mlContext, "Friend", @"(.*asked \w+\.) (\w+ said)"),
        Make(mlContext, "Place", @"(.*I lost it in the) (\w+\.)"),
        Make(mlContext, "Ending", @"(.*!"") (.*)"),
    ];

    // The first group is the context, the second the choice that is right.
    private static ChoiceTask Make(MLContext mlContext, string name, string pattern)
    {
        var random = new Random(Seed);
        Match[] parts = [.. Texts().Select(story => Regex.Match(story, pattern))];
        string[] all = [.. parts.Select(part => part.Groups[2].Value).Distinct()];
        return new(name, mlContext.Data.LoadFromEnumerable(Array.ConvertAll(parts, part =>
        {
            var (context, right) = (part.Groups[1].Value, part.Groups[2].Value);
            string[] others = [.. all.Where(choice => choice != right)];
            random.Shuffle(others);
            string[] choices = [right, .. others.Take(ChoiceCount - 1)];
            random.Shuffle(choices);
            return new ChoiceItem { Context = context, Choices = choices, Label = Array.IndexOf(choices, right) };
        })), IsNormalized: true);
    }
}
