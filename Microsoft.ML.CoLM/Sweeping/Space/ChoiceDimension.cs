namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A name whose values are listed.</summary>
internal sealed class ChoiceDimension : SweepDimension
{
    private readonly Type _type;

    private ChoiceDimension(string name, Type type, object[] values) : base(name, values) => _type = type;

    public override long? Count => Grid.Count;

    /// <exception cref="ArgumentException">There is no value, one is there twice, or one is of a type that is not taken.</exception>
    public static ChoiceDimension Of<T>(string name, IEnumerable<T> values)
    {
        var copies = new List<object>();
        var texts = new HashSet<string>();
        foreach (var value in values)
        {
            SweepValue.Check(name, typeof(T), value);
            var kept = SweepValue.Kept(value);
            if (!texts.Add(SweepValue.TextOf(kept)))
                throw new ArgumentException($"'{name}' has the value {SweepValue.TextOf(kept)} twice.", nameof(values));
            copies.Add(SweepValue.Copy(kept));
        }
        return copies.Count > 0 ? new(name, typeof(T), [.. copies])
            : throw new ArgumentException($"'{name}' has no value to choose.", nameof(values));
    }

    public override object At(long index) => Grid[(int)index];

    public override long Draw(Random random) => random.Next(Grid.Count);

    public override string Describe() => $"{_type.Name} of {string.Join(" | ", Grid.Select(SweepValue.TextOf))}";
}
