namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What the options of a group say.</summary>
/// <param name="IgnoresCase"><c>i</c>.</param>
/// <param name="DotIsAll"><c>m</c>: a dot matches a line feed, too.</param>
/// <param name="IsExtended"><c>x</c>: space and comments are skipped.</param>
internal readonly record struct PatternOptions(bool IgnoresCase, bool DotIsAll, bool IsExtended);
