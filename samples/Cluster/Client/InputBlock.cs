using ClusterSample.Contracts;

namespace ClusterSample.Client;

/// <summary>Rows to score.</summary>
/// <param name="Index">Which block it is, counted from 0.</param>
/// <param name="FirstRow">The first row, counted from 0.</param>
/// <param name="RowCount">How many.</param>
/// <param name="Request">What a silo is asked for.</param>
internal sealed record InputBlock(long Index, long FirstRow, int RowCount, ScoringRequest Request);
