namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>A kind of folder that does not load.</summary>
/// <param name="What">What it has, in words.</param>
/// <param name="Examples">Models that have it.</param>
/// <param name="Make">Changes the folder of a small LLaMA that loads.</param>
/// <param name="Gist">What the message says of it.</param>
internal sealed record Refusal(string What, string Examples, Action<TemporaryFolder> Make, string Gist);
