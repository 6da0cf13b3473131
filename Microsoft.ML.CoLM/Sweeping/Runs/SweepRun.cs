using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>One run of a sweep, from the beginning or from where a killed one was.</summary>
/// <param name="plan">What to do.</param>
/// <param name="cancellationToken">Ends it with what is done.</param>
internal sealed class SweepRun(SweepPlan plan, CancellationToken cancellationToken)
{
    /// <exception cref="InvalidOperationException">No trial completed; the message has every trial's reason.</exception>
    public ChainSweepResult Run()
    {
        using var channel = plan.Host.Start("Sweep");
        var began = Stopwatch.GetTimestamp(); // weights and rows are read to tell whose the folder is
        if (plan.Communicator is { } communicator)
            return communicator.Use(() => RunWith(communicator, channel, began));
        using var checkpoint = SweepCheckpoint.Open(plan);
        using var clock = StartClock(checkpoint, began);
        using var candidates = SweepCandidates.Of(plan);
        using var ledger = new SweepLedger(plan, candidates, checkpoint, clock);
        try
        {
            Restore(ledger, checkpoint, channel);
            if (ledger.Next([]) is not null && candidates.Check(clock))
            {
                while (!clock.IsOver && ledger.Next([]) is { } candidate)
                    Try(plan, candidate, candidates, ledger, clock, channel);
            }
            ledger.End();
            return Result(ledger.Trials, clock, channel);
        }
        catch
        {
            ledger.Clear();
            throw;
        }
    }

    private ChainSweepResult RunWith(Communicator communicator, IChannel channel, long began)
    {
        SweepCheckpoint? checkpoint = null;
        SweepCandidates? candidates = null;
        SweepClock? clock = null;
        try
        {
            SweepAgreement.Check(communicator, () =>
            {
                checkpoint = communicator.Rank == 0 ? SweepCheckpoint.Open(plan) : null;
                clock = StartClock(checkpoint, began);
                candidates = SweepCandidates.Of(plan);
                candidates.Check(clock);
                return Identity();
            });
            IReadOnlyList<ChainTrial> trials;
            try
            {
                using var products = MatrixProducts.Use(communicator.FirstOf(MatrixProducts.Current));
                trials = communicator.Rank == 0 ? RunAndDeal(communicator, candidates!, checkpoint, clock!, channel)
                    : RunDealt(communicator, candidates!, clock!, channel);
            }
            catch (Exception e) when (e is not CommunicatorException)
            {
                communicator.Fail(e.Message);
                throw;
            }
            return Result(trials, clock!, channel);
        }
        finally
        {
            candidates?.Dispose();
            clock?.Dispose();
            checkpoint?.Dispose();
        }
    }

    private IReadOnlyList<ChainTrial> RunAndDeal(
        Communicator communicator, SweepCandidates candidates, SweepCheckpoint? checkpoint, SweepClock clock, IChannel channel)
    {
        using var ledger = new SweepLedger(plan, candidates, checkpoint, clock);
        try
        {
            Restore(ledger, checkpoint, channel);
            using var dealer = new SweepDealer(communicator, ledger, clock);
            var own = plan with { Turn = new DealerTurn(dealer) };
            Deal deal;
            while ((deal = dealer.Next(rank: 0)).Kind != Deal.What.End)
            {
                if (deal.Kind == Deal.What.Try)
                    Try(own, deal.Candidate, candidates, ledger, clock, channel);
                if (deal.Kind == Deal.What.Wait)
                    Thread.Sleep(RankLink.Between);
                else
                    ledger.LoadArrivals();
                Report(ledger.TakeReports(), channel);
            }
            ledger.End();
            Report(ledger.TakeReports(), channel);
            dealer.End();
            return ledger.Trials;
        }
        catch
        {
            ledger.Clear();
            throw;
        }
    }

    private IReadOnlyList<ChainTrial> RunDealt(
        Communicator communicator, SweepCandidates candidates, SweepClock clock, IChannel channel)
    {
        var link = new RankLink(communicator, clock);
        return new RankRun(plan with { Turn = new RankTurn(link) }, candidates, link, clock, channel).Run();
    }

    private SweepClock StartClock(SweepCheckpoint? checkpoint, long began) => new(
        plan.Host, plan.Communicator is { Rank: > 0 } ? null : plan.TotalSeconds,
        (checkpoint?.Elapsed ?? 0) + Stopwatch.GetElapsedTime(began).TotalSeconds, cancellationToken);

    // What each rank does by itself must be the same, too; rank 0 alone decides when all is over.
    private SortedDictionary<string, string> Identity()
    {
        var texts = SweepIdentity.Of(plan);
        texts["Checkpoint"] = plan.CheckpointFolder is null ? "none" : "kept";
        texts["Memory limit"] = string.Create(CultureInfo.InvariantCulture, $"{plan.MemoryLimit}");
        texts["Trial's seconds"] = string.Create(CultureInfo.InvariantCulture, $"{plan.TrialSeconds}");
        return texts;
    }

    private void Restore(SweepLedger ledger, SweepCheckpoint? checkpoint, IChannel channel)
    {
        if (checkpoint?.Records.Count > 0)
            channel.Info(FormattableString.Invariant($"The sweep goes on behind {checkpoint.Records.Count} lines of '{plan.CheckpointFolder}'."));
        ledger.Restore();
    }

    private void Try(
        SweepPlan own, int candidate, SweepCandidates candidates, SweepLedger ledger, SweepClock clock, IChannel channel)
    {
        using var trialClock = clock.StartTrial(plan.TrialSeconds);
        ledger.Finish(candidate, candidates.Try(own, candidate, trialClock, drafts => ledger.Wants(candidate, drafts)), trialClock);

        // What a candidate freed is not to pile up in the allocators' hands over many of them.
        ProcessMemory.ReturnFree();
        if (plan.Communicator is null)
            Report(ledger.TakeReports(), channel);
    }

    private ChainSweepResult Result(IReadOnlyList<ChainTrial> trials, SweepClock clock, IChannel channel)
    {
        if (!trials.Any(trial => trial.State == SweepTrialState.Completed))
            throw new InvalidOperationException(Reasons(trials, clock));
        if (clock.IsOver)
            channel.Warning(clock.Reason);
        return new(trials, plan.Objective.Name, plan.Objective.IsMaximized, plan.LatencyBatchSize);
    }

    private void Report(IReadOnlyList<ChainTrial> trials, IChannel channel)
    {
        foreach (var trial in trials)
        {
            if (trial.State == SweepTrialState.Completed)
                channel.Info(Summary(trial));
            else
                channel.Warning($"{Name(trial)}: {trial.State}: {trial.Error}");
        }
        foreach (var trial in trials)
            plan.Monitor?.Report(trial);
    }

    private string Summary(ChainTrial trial) => Name(trial) + string.Create(CultureInfo.InvariantCulture,
        $": {plan.Objective.Name} {trial.Metric:G6}, ") + (trial.MedianLatency is { } latency
            ? string.Create(CultureInfo.InvariantCulture, $"{latency:G3} ms a row, ") : "") +
        string.Create(CultureInfo.InvariantCulture, $"{trial.Parameters:N0} parameters.");

    private static string Reasons(IReadOnlyList<ChainTrial> trials, SweepClock clock) => trials.Count == 0
        ? $"No trial of the sweep was run: {clock.Reason}"
        : string.Join('\n', trials.Select(trial => $"{Name(trial)}: {trial.State}: {trial.Error}").Prepend("No trial of the sweep completed."));

    private static string Name(ChainTrial trial)
    {
        var settings = trial.Settings.Describe();
        return string.Create(CultureInfo.InvariantCulture, $"Trial {trial.Id}") +
            (trial.ChainCount == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", chain count {trial.ChainCount}")) +
            (settings.Length == 0 ? "" : $" ({settings})");
    }
}
