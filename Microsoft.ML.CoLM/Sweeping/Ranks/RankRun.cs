using System.Buffers.Binary;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The part of a rank other than 0: it tries what it is dealt, and sends rank 0 the trials and the models that are wanted.</summary>
internal sealed class RankRun(SweepPlan plan, SweepCandidates candidates, RankLink link, SweepClock clock, IChannel channel)
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>Takes part until the end.</summary>
    /// <returns>The trials of all ranks.</returns>
    public IReadOnlyList<ChainTrial> Run()
    {
        var rank = plan.Communicator!.Rank;
        using (new RankPulse(link, clock, rank))
        {
            while (true)
            {
                // Before it may be told that nothing is left: rank 0 has to know that this one was cancelled.
                RankPulse.Tell(link, clock, rank);
                var deal = link.Ask(RankQuestion.Next).Deal;
                if (deal.Kind == Deal.What.End)
                    break;
                if (deal.Kind == Deal.What.Try)
                    Try(deal.Candidate);
                else
                    Thread.Sleep(RankLink.Between);
            }
            // Others may be at work still, and this rank be cancelled.
            CandidateRecord[]? results = null;
            while (results is null)
            {
                Thread.Sleep(RankLink.Between);
                results = link.Ask(RankQuestion.Results).Results;
            }
            return [.. results.SelectMany(record => record.Trials.Select(trial => candidates.ToTrial(record.Candidate, trial)))];
        }
    }

    private void Try(int candidate)
    {
        using var trialClock = clock.StartTrial(plan.TrialSeconds);
        var outcome = candidates.Try(plan, candidate, trialClock, drafts => IsWanted(candidate, drafts));
        var (isFinal, hasModel) = (outcome.IsFinal(clock), false);
        try
        {
            if (outcome.Fitted is { } fitted && IsWanted(candidate, outcome.Drafts))
                hasModel = TrySend(candidate, fitted, outcome.Drafts, trialClock, ref isFinal);
        }
        finally
        {
            (outcome.Fitted as IDisposable)?.Dispose();
        }
        ProcessMemory.ReturnFree();
        var settings = candidates.Settings(candidate);
        var record = new CandidateRecord
        {
            Candidate = candidate,
            Elapsed = clock.Elapsed,
            Settings = settings.Texts(),
            Trials = [.. outcome.Drafts.Select((draft, i) => TrialRecord.Of(draft.ToTrial(i + 1, settings, outcome.TrainingSeconds)))],
        };
        link.AskOf(RankQuestion.Done, new RankReport(record, isFinal, hasModel));
    }

    private bool IsWanted(int candidate, IReadOnlyList<TrialDraft> drafts) =>
        link.AskOf(RankQuestion.Wants, TrialPoint.Of(candidate, drafts, plan.Objective.IsMaximized)).IsYes;

    // What cannot be saved fails where a checkpoint would have to keep it, as it does on rank 0; else it has no model.
    private bool TrySend(
        int candidate, ITransformer fitted, IReadOnlyList<TrialDraft> drafts, TrialClock trialClock, ref bool isFinal)
    {
        var folder = Directory.CreateTempSubdirectory("colm-sweep-").FullName;
        try
        {
            var path = Path.Combine(folder, "model.zip");
            new ModelZip(plan.Context).Save(fitted, plan.Data.Train.Schema, path);
            Send(candidate, path);
            return true;
        }
        catch (OperationCanceledException) when (trialClock.IsSweepOver)
        {
            isFinal = false;
            return false;
        }
        catch (Exception e) when (e is not (IOException or UnauthorizedAccessException))
        {
            if (plan.CheckpointFolder is not null)
                TrialError.EndUnsaved(drafts, e);
            else
                channel.Warning(FormattableString.Invariant($"Candidate {candidate} has no model on rank 0, as it cannot be saved: {e.Message}"));
            return false;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private void Send(int candidate, string path)
    {
        using var file = File.OpenRead(path);
        var message = new byte[sizeof(int) + 1 + ChunkBytes];
        BinaryPrimitives.WriteInt32LittleEndian(message, candidate);
        message[sizeof(int)] = 1;
        for (int length; (length = file.Read(message, sizeof(int) + 1, ChunkBytes)) > 0; message[sizeof(int)] = 0)
            link.Ask(RankQuestion.Chunk, message.AsSpan(0, sizeof(int) + 1 + length));
    }
}
