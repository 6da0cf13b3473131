namespace DistributedSample;

/// <summary>What the command line asked for.</summary>
/// <param name="Model">The LLaMA or CoLM folder to grow; null trains QuickStart's base first.</param>
/// <param name="Train">Texts to train on; null writes stories.</param>
/// <param name="Validation">Texts to validate on; null writes stories.</param>
/// <param name="Chains">Attention heads of each added chain; null adds one as wide as the first.</param>
/// <param name="Steps">Optimizer steps.</param>
/// <param name="Batch">Windows of a step, of all ranks together.</param>
/// <param name="Checkpoints">Where to write checkpoints and to resume from; null for neither.</param>
/// <param name="TimeLimit">How long a rank waits for the others.</param>
/// <param name="Out">The zip to write.</param>
internal sealed record Settings(
    DirectoryInfo? Model, FileInfo? Train, FileInfo? Validation, int[]? Chains, int Steps, int Batch,
    DirectoryInfo? Checkpoints, TimeSpan TimeLimit, FileInfo Out);
