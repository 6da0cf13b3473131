namespace Microsoft.ML.CoLM.Chains;

/// <summary>
/// Where settings were read from. All are equal, so that records that hold one compare by their settings alone.
/// </summary>
internal readonly struct SourceText(string? json) : IEquatable<SourceText>
{
    public string? Json { get; } = json;

    public bool Equals(SourceText other) => true;

    public override bool Equals(object? obj) => obj is SourceText;

    public override int GetHashCode() => 0;
}
