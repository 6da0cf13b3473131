using System.Globalization;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a trial may take of one thing.</summary>
/// <param name="Name">What is limited.</param>
/// <param name="Unit">What it is counted in.</param>
/// <param name="Limit">How much is allowed; at least 0.</param>
/// <param name="Used">How much a trial takes; infinity where that was not measured.</param>
internal sealed record TrialBudget(string Name, string Unit, double Limit, Func<ChainTrial, double> Used)
{
    private const string Milliseconds = "ms a row";

    /// <summary>The budgets that are given.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is negative, or no number; the message names it.</exception>
    public static TrialBudget[] Of(double? latency, long? memory, long? parameters)
    {
        List<TrialBudget> budgets = [];
        void Add(string name, string unit, double? limit, Func<ChainTrial, double> used)
        {
            if (limit is not { } given)
                return;
            if (!(given >= 0))
            {
                throw new ArgumentOutOfRangeException(
                    name, string.Create(CultureInfo.InvariantCulture, $"{name} must be at least 0, found {given}."));
            }
            budgets.Add(new(name, unit, given, used));
        }
        Add(nameof(latency), Milliseconds, latency, TrialOrder.Latency);
        Add(nameof(memory), "bytes of memory", memory, trial => trial.PeakMemory);
        Add(nameof(parameters), "parameters", parameters, trial => trial.Parameters);
        return [.. budgets];
    }

    public bool Allows(ChainTrial trial) => Used(trial) <= Limit;

    /// <summary>By what share of the budget a trial is above it; infinity where the budget is 0.</summary>
    public double Excess(ChainTrial trial) => Allows(trial) ? 0 : Used(trial) / Limit - 1;

    /// <summary>Says by how much a trial is above the budget.</summary>
    public string Miss(ChainTrial trial) => double.IsInfinity(Used(trial))
        ? $"its {Name} was not measured"
        : $"it takes {Text(Used(trial))}, {Number(Used(trial) - Limit)} above the {Name} budget";

    public override string ToString() => Text(Limit);

    private string Text(double value) => $"{Number(value)} {Unit}";

    // Latencies vary from run to run: four digits of them tell. What is counted is told as it is.
    private string Number(double value) => value >= 1000 || Unit != Milliseconds
        ? value.ToString("N0", CultureInfo.InvariantCulture)
        : value.ToString("G4", CultureInfo.InvariantCulture);
}
