using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>The settings that are chosen for each method, all by the same rows and of the same ones.</summary>
/// <param name="LearningRate">The learning rate after the warm-up.</param>
/// <param name="Pooling">What the label is read from.</param>
internal sealed record Recipe(double LearningRate, FeaturePooling Pooling)
{
    public override string ToString() => FormattableString.Invariant($"{LearningRate:0.######}, {Pooling}");
}
