namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A matrix product, left · right.</summary>
/// <param name="Left">[rows, depth].</param>
/// <param name="Right">[depth, columns].</param>
/// <param name="Depth">Products of an element's sum.</param>
internal readonly record struct GemmTerm(MatrixView Left, MatrixView Right, int Depth);
