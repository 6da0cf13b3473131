namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>A tensor that a file must hold.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="OtherNames">Names that other tools give it, the likeliest first; null for none.</param>
/// <param name="Format">How it is packed, into codes of its name and scales; null where it is not.</param>
internal readonly record struct TensorSpec(string Name, long[] Shape, string[]? OtherNames = null, WeightFormat? Format = null)
{
    /// <summary>What there is of the tensor under one of its names; null where there is nothing.</summary>
    public T? FindIn<T>(Func<string, T?> find)
    {
        if (find(Name) is { } found)
            return found;
        foreach (var name in OtherNames ?? [])
        {
            if (find(name) is { } other)
                return other;
        }
        return default;
    }
}
