using System.Numerics;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a scoring says, and how it is told to stop.</summary>
/// <param name="host">The transformer's host.</param>
/// <param name="checkUsable">Throws where the transformer was disposed.</param>
/// <param name="hasEnd">
/// Whether it is disposed after the last row and says then how many were cut. An engine's is not: it says so with its
/// first, second, fourth and so on.
/// </param>
internal sealed class ScoringChannel(IHost host, Action checkUsable, bool hasEnd) : IDisposable
{
    private const string TuningLimit = $"the tuning's {nameof(TrainingOptions.SequenceLength)} or the model's context";

    private long _cutRows;
    private string _limit = "";

    /// <summary>Ends scoring where there is nothing to go on with.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The MLContext's execution was cancelled.</exception>
    public void CheckAlive()
    {
        checkUsable();
        host.CheckAlive();
    }

    /// <summary>Counts a row that lost tokens.</summary>
    /// <param name="columns">Where its text comes from.</param>
    /// <param name="length">Tokens that are left of it.</param>
    /// <param name="limit">Where the length comes from.</param>
    public void CountCutRow(TextColumns columns, int length, string limit = TuningLimit)
    {
        _cutRows++;
        _limit = $"column '{columns.Names}' have more than {length} tokens, which is {limit}, and are cut to so many";
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
