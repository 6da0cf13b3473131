using System.Diagnostics;
using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>Notes every step's loss, time and memory, and the validations.</summary>
/// <param name="report">Told the share of the steps that is done.</param>
/// <param name="memory">Memory of the steps, without the validations between them; null measures none.</param>
internal sealed class StepRecorder(Action<double> report, ResidentMemory? memory = null) : IProgress<TrainingProgress>
{
    private readonly List<(int Step, double Seconds)> _times = [];
    private long _before;

    public List<double> Losses { get; } = [];

    public List<ValidationPoint> Validations { get; } = [];

    public void Report(TrainingProgress value)
    {
        // A step with a validation is reported after that, and the first one has no report before it.
        if (value.ValidationLosses.Count > 0)
        {
            Validations.Add(new(value.Step, Rounded(value.ValidationLosses), Rounded(value.ValidationMetrics)));
            if (memory is not null)
                ResidentMemory.ForgetPeak();
        }
        else
        {
            if (_before != 0)
                _times.Add((value.Step, Stopwatch.GetElapsedTime(_before).TotalSeconds));
            memory?.Note();
        }
        Losses.Add(Rounded(value.Loss));
        report((double)value.Step / value.TotalSteps);
        _before = Stopwatch.GetTimestamp();
    }

    /// <summary>Seconds of a step, median over some of them; null where none was timed.</summary>
    /// <param name="first">The first step, from 1 on.</param>
    /// <param name="last">The last one.</param>
    public double? MedianSeconds(int first, int last)
    {
        double[] times = [.. _times.Where(time => time.Step >= first && time.Step <= last).Select(time => time.Seconds)];
        return times.Length == 0 ? null : Statistics.Median(times);
    }

    private static double[] Rounded(IEnumerable<double> values) => [.. values.Select(Rounded)];

    // What a curve shows; the file has thousands of them.
    private static double Rounded(double value) => Math.Round(value, 5);
}
