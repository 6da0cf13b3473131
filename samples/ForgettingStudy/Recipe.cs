using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>The settings that are chosen for each method, all by the same rows and of the same ones.</summary>
/// <param name="LearningRate">The learning rate after the warm-up.</param>
/// <param name="Pooling">What the label is read from.</param>
/// <param name="HeadRate">How many times that rate the label's head has.</param>
/// <param name="WeightDecay">AdamW's decay of weights.</param>
/// <param name="LabelSmoothing">The share of a label that is spread over both.</param>
internal sealed record Recipe(
    double LearningRate, FeaturePooling Pooling, double HeadRate, double WeightDecay, double LabelSmoothing)
{
    public override string ToString() => FormattableString.Invariant($"{LearningRate:0.######}, {Pooling}, ") +
        FormattableString.Invariant($"head x {HeadRate}, decay {WeightDecay}, smoothing {LabelSmoothing}");
}
