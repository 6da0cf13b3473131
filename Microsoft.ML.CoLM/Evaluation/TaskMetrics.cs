namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>How well a task head's outputs fit the labels.</summary>
internal static class TaskMetrics
{
    /// <summary>Mean cross-entropy (natural log) and accuracy.</summary>
    /// <param name="outputs">For each row, an output for each class.</param>
    /// <param name="labels">The index of each row's class.</param>
    public static (double Loss, double Accuracy) Classification(float[][] outputs, float[] labels)
    {
        double loss = 0;
        var right = 0;
        for (var i = 0; i < outputs.Length; i++)
        {
            var label = (int)labels[i];
            var largest = outputs[i].Max();
            loss += largest + Math.Log(outputs[i].Sum(output => Math.Exp(output - largest))) - outputs[i][label];
            right += Array.IndexOf(outputs[i], largest) == label ? 1 : 0;
        }
        return (loss / outputs.Length, (double)right / outputs.Length);
    }

    /// <summary>Mean squared error and Pearson's correlation, which is 0 where either side does not vary.</summary>
    /// <param name="outputs">For each row, one number.</param>
    /// <param name="labels">The number that it should be.</param>
    public static (double Loss, double Correlation) Regression(float[][] outputs, float[] labels)
    {
        var numbers = Array.ConvertAll(outputs, output => (double)output[0]);
        var expected = Array.ConvertAll(labels, label => (double)label);
        var loss = numbers.Zip(expected, (number, label) => (number - label) * (number - label)).Average();
        var correlation = Correlation.Pearson(numbers, expected);
        return (loss, double.IsNaN(correlation) ? 0 : correlation);
    }
}
