namespace Samples;

/// <summary>Writes small stories from a grammar of its own, so that samples need no data.</summary>
internal sealed class StoryGenerator(int seed)
{
    private static readonly string[] Names = ["Mia", "Tom", "Ada", "Ben", "Zoe", "Sam", "Lily", "Max"];
    private static readonly string[] Animals = ["dog", "cat", "bird", "frog", "fox", "rabbit", "mouse", "horse"];
    private static readonly string[] Moods = ["happy", "sad", "brave", "shy", "tired", "curious"];
    private static readonly string[] Places = ["garden", "forest", "kitchen", "park", "barn", "river"];
    private static readonly string[] Things = ["red ball", "blue kite", "old drum", "warm hat", "small boat", "sweet pear"];

    private readonly Random _random = new(seed);

    /// <summary>One story of five sentences; who does what where stays the same from its beginning to its end.</summary>
    public string Write() => WriteLabelled().Text;

    /// <summary>The same, with what it is about.</summary>
    public Story WriteLabelled()
    {
        var (name, friend) = (Pick(Names), Pick(Names));
        var (animal, mood, place, thing) = (Pick(Animals), Pick(Moods), Pick(Places), Pick(Things));
        var ending = mood is "sad" or "shy" or "tired"
            ? $"After that, {name} was not {mood} any more."
            : $"In the evening, {name} was still {mood}.";
        var text = $"Once there was a {mood} {animal} named {name}. " +
            $"One day {name} went to the {place} and found a {thing}. " +
            $"\"Is this your {thing}?\" {name} asked {friend}. " +
            $"{friend} said, \"Yes, I lost it in the {place}. Thank you, {animal}!\" {ending}";
        return new() { Text = text, Animal = animal, Mood = mood };
    }

    private string Pick(string[] words) => words[_random.Next(words.Length)];
}
