using static TorchSharp.torch;

namespace QuickStart;

/// <summary>What the command line asked for.</summary>
/// <param name="Model">The LLaMA or CoLM folder to grow; null trains a base from nothing.</param>
/// <param name="Train">Texts to train on; null writes stories.</param>
/// <param name="Validation">Texts to validate on; null writes stories.</param>
/// <param name="Chains">Attention heads of each added chain; null adds one as wide as the first.</param>
/// <param name="Steps">Optimizer steps for the added chains.</param>
/// <param name="LearningRate">The learning rate of the added chains.</param>
/// <param name="DataType">The type that the models compute and are stored in.</param>
/// <param name="KvSharing">Whether all chains share the first one's keys and values.</param>
/// <param name="MaxTokens">Validation rows of more tokens are left out of the comparison; null takes all.</param>
/// <param name="Out">The zip to write.</param>
/// <param name="OutFolder">A CoLM folder to write, too; null for none.</param>
/// <param name="Chart">The chart to write, as PNG and as SVG.</param>
internal sealed record Settings(
    DirectoryInfo? Model, FileInfo? Train, FileInfo? Validation, int[]? Chains, int Steps, double LearningRate,
    ScalarType DataType, bool KvSharing, int? MaxTokens, FileInfo Out, DirectoryInfo? OutFolder, FileInfo Chart);
