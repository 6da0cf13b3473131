namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A cascade with one threshold for all of its chain counts, and what some rows say of it.</summary>
/// <param name="Stages">Indices of its chain counts.</param>
/// <param name="Threshold">The doubt up to which a row goes no further, at every count but the last.</param>
/// <param name="Cost">Parameters in use at a token, on average, as a share of all.</param>
/// <param name="Difference">The metric's difference from all chains; more is worse.</param>
/// <param name="Bound">How large the difference may be on as many other rows.</param>
internal sealed record CascadeCandidate(int[] Stages, double Threshold, double Cost, double Difference, double Bound);
