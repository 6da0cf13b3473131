namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Softmax of a head's outputs.</summary>
internal static class Probabilities
{
    public static float[] Of(ReadOnlySpan<float> outputs)
    {
        var largest = float.NegativeInfinity;
        foreach (var output in outputs)
            largest = Math.Max(largest, output);
        double sum = 0;
        foreach (var output in outputs)
            sum += Math.Exp(output - largest);
        var probabilities = new float[outputs.Length];
        for (var i = 0; i < probabilities.Length; i++)
            probabilities[i] = (float)(Math.Exp(outputs[i] - largest) / sum);
        return probabilities;
    }

    /// <summary>How much more probable the most probable class is than the next, between 0 and 1.</summary>
    public static double Margin(ReadOnlySpan<float> outputs)
    {
        double first = 0, second = 0;
        foreach (var probability in Of(outputs))
        {
            if (probability > first)
                (first, second) = (probability, first);
            else
                second = Math.Max(second, probability);
        }
        return first - second;
    }
}
