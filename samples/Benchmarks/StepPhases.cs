using System.Diagnostics;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Training;
using TorchSharp.Modules;

namespace Benchmarks;

/// <summary>Where the time of training steps goes, in milliseconds.</summary>
internal sealed class StepPhases
{
    // A turn's first step makes the optimizer's state.
    private const int WarmUpSteps = 1;

    private readonly Dictionary<string, List<double>> _turns = [];

    /// <summary>Milliseconds of a step, turn by turn.</summary>
    public Samples Step => new(_turns[nameof(Step)]);

    /// <summary>Trains for a turn, whose median counts.</summary>
    /// <param name="options">How to train; their number of steps is set here.</param>
    /// <param name="objective">What is trained for.</param>
    /// <param name="parameters">What is trained.</param>
    /// <param name="steps">Steps that count.</param>
    public void Run(TrainingOptions options, BatchObjective objective, Parameter[] parameters, int steps)
    {
        options.MaxSteps = WarmUpSteps + steps;
        var times = new Dictionary<string, List<double>>();
        var metered = new MeteredObjective(objective);
        long backwardEnd = 0, stepEnd = Stopwatch.GetTimestamp();
        objective.BeforeHead = () => metered.Head = Stopwatch.GetTimestamp();
        // Asked once more behind the step, when it has been reported.
        new Trainer(options, validate: null, asked: () =>
        {
            backwardEnd = Stopwatch.GetTimestamp();
            return StopRequest.None;
        }, progress =>
        {
            var (start, end) = (stepEnd, Stopwatch.GetTimestamp());
            stepEnd = end;
            if (progress.Step <= WarmUpSteps)
                return;
            Add(nameof(Step), start, end);
            Add("forward", metered.Start, metered.Head);
            Add("head and loss", metered.Head, metered.End);
            Add("backward", metered.End, backwardEnd);
            Add("optimizer", backwardEnd, end);
            Add("rest", start, metered.Start);
        }).Train(metered, parameters);
        objective.BeforeHead = null;
        foreach (var (phase, samples) in times)
        {
            _turns.TryAdd(phase, []);
            _turns[phase].Add(new Samples(samples).Median);
        }

        void Add(string phase, long start, long end)
        {
            times.TryAdd(phase, []);
            times[phase].Add(Stopwatch.GetElapsedTime(start, end).TotalMilliseconds);
        }
    }

    /// <summary>Adds what a step's products alone take, its share of their speed, and its phases.</summary>
    /// <param name="report">What is added to.</param>
    /// <param name="name">What the step is called.</param>
    /// <param name="products">The step's products, which were run before every turn.</param>
    public void AddTo(Report report, string name, StepProducts products)
    {
        var bare = products.Times();
        report.Add($"{name}, bare products", bare, basis: Step);
        foreach (var (phase, turns) in _turns.Where(entry => entry.Key != nameof(Step)))
            report.Add($"{name}, {phase}", new Samples(turns), basis: Step);
    }

    private sealed class MeteredObjective(BatchObjective inner) : BatchObjective
    {
        public long Start { get; private set; }

        public long Head { get; set; }

        public long End { get; private set; }

        public override CoLMModel Model => inner.Model;

        public override long BatchesOf(int epochs) => inner.BatchesOf(epochs);

        protected override BatchLoss Compute(long batch)
        {
            Start = Stopwatch.GetTimestamp();
            var loss = inner.Loss(batch);
            End = Stopwatch.GetTimestamp();
            return loss;
        }
    }
}
