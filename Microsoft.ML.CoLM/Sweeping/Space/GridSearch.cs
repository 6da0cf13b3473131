namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>All combinations in order, the last name's values fastest.</summary>
internal sealed class GridSearch : SweepSearch
{
    public override string Describe() => "grid";

    public override IEnumerable<SweepSettings> Candidates(IReadOnlyList<SweepDimension> space)
    {
        var places = new int[space.Count];
        while (true)
        {
            yield return Settings(space, i => space[i].Grid[places[i]]);
            var last = space.Count - 1;
            while (last >= 0 && ++places[last] == space[last].Grid.Count)
                places[last--] = 0;
            if (last < 0)
                yield break;
        }
    }
}
