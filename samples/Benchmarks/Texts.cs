namespace Benchmarks;

/// <summary>Made-up text of any length; what it says makes no difference to the time it takes.</summary>
internal static class Texts
{
    private static readonly string[] Words =
        ["the", "little", "dog", "ran", "to", "a", "park", "and", "saw", "his", "friend", "with", "ball", "happy"];

    public static Document[] Rows(int count, int wordsEach, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => new Document
        {
            Text = string.Join(' ', Enumerable.Range(0, wordsEach).Select(_ => Words[random.Next(Words.Length)])),
        })];
    }
}
