namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>How numbers are scaled for training, to mean 0 and deviation 1.</summary>
internal readonly record struct LabelRange(float Mean, float Deviation)
{
    /// <summary>The range of some labels; their deviation counts as 1 where they are all the same.</summary>
    public static LabelRange Of(IReadOnlyCollection<float> labels)
    {
        var mean = labels.Average(label => (double)label);
        var deviation = Math.Sqrt(labels.Average(label => (label - mean) * (label - mean)));
        return new((float)mean, deviation > 0 ? (float)deviation : 1);
    }

    public float Scale(float label) => (label - Mean) / Deviation;

    public float Restore(float output) => output * Deviation + Mean;
}
