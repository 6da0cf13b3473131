using System.Numerics;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a scoring says, and how it is told to stop.</summary>
/// <param name="host">The transformer's host.</param>
/// <param name="hasEnd">
/// Whether it is disposed after the last row and says then how many were cut. An engine's is not: it says so with its
/// first, second, fourth and so on.
/// </param>
internal sealed class ScoringChannel(IHost host, bool hasEnd) : IDisposable
{
    private long _cutRows;
    private string _limit = "";

    /// <summary>Ends scoring where the MLContext's execution was cancelled.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public void CheckAlive() => host.CheckAlive();

    /// <summary>Counts a row that lost tokens.</summary>
    /// <param name="columns">Where its text comes from.</param>
    /// <param name="length">Tokens that are left of it.</param>
    public void CountCutRow(TextColumns columns, int length)
    {
        _cutRows++;
        _limit = $"column '{columns.Names}' have more than {length} tokens, which is the tuning's " +
            $"{nameof(TrainingOptions.SequenceLength)} or the model's context, and are cut to so many";
        if (!hasEnd && BitOperations.IsPow2(_cutRows))
            Warn(" so far");
    }

    public void Dispose()
    {
        if (hasEnd && _cutRows > 0)
            Warn("");
        _cutRows = 0;
    }

    private void Warn(string untilWhen)
    {
        using var channel = host.Start("Scoring");
        channel.Warning($"{_cutRows} rows of {_limit}{untilWhen}.");
    }
}
