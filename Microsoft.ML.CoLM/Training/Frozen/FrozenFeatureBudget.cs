namespace Microsoft.ML.CoLM.Training;

/// <summary>How much of what frozen chains compute may be kept.</summary>
/// <param name="MemoryBytes">In memory.</param>
/// <param name="DiskBytes">In files beside it, where there is a folder for them.</param>
/// <param name="BlockBytes">What is taken at once.</param>
/// <param name="Folder">Where the files are; null for none.</param>
internal readonly record struct FrozenFeatureBudget(
    long MemoryBytes, long DiskBytes, long BlockBytes = 1 << 26, string? Folder = null);
