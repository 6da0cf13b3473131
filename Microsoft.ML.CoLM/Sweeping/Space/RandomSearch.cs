using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Combinations drawn at random, none twice.</summary>
internal sealed class RandomSearch(int seed) : SweepSearch
{
    // Draws of what was drawn before, one after the other, before the next one that was not is taken.
    private const int Patience = 100;

    public override string Describe() => FormattableString.Invariant($"random, seed {seed}");

    public override IEnumerable<SweepSettings> Candidates(IReadOnlyList<SweepDimension> space)
    {
        var random = new Random(seed);
        var drawn = new HashSet<string>();
        var count = space.All(dimension => dimension.Count is not null)
            ? space.Aggregate(Int128.One, (product, dimension) => Int128.Min(long.MaxValue, product * dimension.Count!.Value))
            : (Int128?)null;
        var repeated = 0; // a range of numbers may be so narrow that it has few
        while ((count is null || drawn.Count < count) && repeated < Patience)
        {
            var settings = count is null ? Draw(space, random) : DrawAmongSome(space, random, drawn);
            var isNew = drawn.Add(Key(settings));
            repeated = isNew ? 0 : repeated + 1;
            if (isNew)
                yield return settings;
        }
    }

    private static SweepSettings Draw(IReadOnlyList<SweepDimension> space, Random random) =>
        Settings(space, i => space[i].Count is null ? space[i].DrawValue(random) : space[i].At(space[i].Draw(random)));

    private static SweepSettings DrawAmongSome(IReadOnlyList<SweepDimension> space, Random random, HashSet<string> drawn)
    {
        var places = new long[space.Count];
        SweepSettings settings;
        var repeated = 0;
        do
        {
            for (var i = 0; i < places.Length; i++)
                places[i] = space[i].Draw(random);
            settings = Settings(space, i => space[i].At(places[i]));
        }
        while (drawn.Contains(Key(settings)) && ++repeated < Patience);

        while (drawn.Contains(Key(settings)))
        {
            for (var i = places.Length - 1; i >= 0 && ++places[i] == space[i].Count; i--)
                places[i] = 0;
            settings = Settings(space, i => space[i].At(places[i]));
        }
        return settings;
    }

    private static string Key(SweepSettings settings) =>
        JsonSerializer.Serialize(settings.Values.Select(value => SweepValue.TextOf(value.Value)));
}
