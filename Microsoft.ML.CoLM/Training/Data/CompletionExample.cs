namespace Microsoft.ML.CoLM.Training;

/// <summary>A prompt with its response.</summary>
/// <param name="Tokens">Token ids of both.</param>
/// <param name="ResponseStart">Where the response begins, at least 1; it has a token or more.</param>
internal readonly record struct CompletionExample(int[] Tokens, int ResponseStart);
