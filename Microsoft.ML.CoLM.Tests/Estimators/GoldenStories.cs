using System.Text.Json;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What another implementation computed for stories260K, and the texts it did so for.</summary>
internal sealed record GoldenStories(GoldenStory[] Rows, double MeanLoss, string[] Texts)
{
    public static GoldenStories Read()
    {
        using var file = File.OpenRead(SharedData.Folder("golden", "scoring", "stories260K-valid.json"));
        using var json = JsonDocument.Parse(file);
        GoldenStory[] rows = [.. json.RootElement.GetProperty("rows").EnumerateArray().Select(row => new GoldenStory(
            row.GetProperty("row").GetInt32(), row.GetProperty("tokens").GetInt32(),
            row.GetProperty("logProbability").GetDouble()))];
        var stories = File.ReadAllLines(SharedData.Folder("data", "tinystories", "valid.jsonl"));
        return new(rows, json.RootElement.GetProperty("meanLoss").GetDouble(), [.. rows.Select(row =>
        {
            using var story = JsonDocument.Parse(stories[row.Row]);
            return story.RootElement.GetProperty("text").GetString()!;
        })]);
    }
}
