namespace ForgettingStudy;

/// <summary>A validation on the way.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Losses">Loss at each chain count from 1 on.</param>
/// <param name="Accuracies">Accuracy at each chain count from 1 on.</param>
internal sealed record ValidationPoint(int Step, double[] Losses, double[] Accuracies);
