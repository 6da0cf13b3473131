using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A rank's line to rank 0: each question is answered at once, whatever the sweep does.</summary>
/// <remarks>
/// A rank sends nothing but questions and waits for each answer, rank 0 nothing but answers: so no two ever wait for each other to
/// take a message. There is no limit of time, as trials have none, but a rank that fails or leaves ends the wait.
/// </remarks>
internal sealed class RankLink(Communicator communicator, SweepClock clock)
{
    /// <summary>Between two looks at what others wait for.</summary>
    public static readonly TimeSpan Between = TimeSpan.FromMilliseconds(3);

    private readonly Lock _gate = new();
    private CommunicatorException? _broken;
    private bool _hasEnded;

    public RankAnswer AskOf<T>(RankQuestion question, T content) =>
        Ask(question, JsonSerializer.SerializeToUtf8Bytes(content, SweepLog.Json));

    public RankAnswer Ask(RankQuestion question, ReadOnlySpan<byte> content = default)
    {
        byte[] message = [(byte)question, .. content];
        lock (_gate)
        {
            if (_broken is not null)
                throw _broken;
            if (_hasEnded)
                return new(); // rank 0 does not listen any more
            try
            {
                communicator.Send(message, rank: 0);
                byte[]? answer;
                while ((answer = communicator.TryReceive(rank: 0)) is null)
                    Thread.Sleep(1);
                var read = JsonSerializer.Deserialize<RankAnswer>(answer, SweepLog.Json)!;
                if (read.Over is { } reason)
                    clock.End(reason);
                _hasEnded = read.Results is not null;
                return read;
            }
            catch (CommunicatorException e)
            {
                // What this rank trains is in vain.
                _broken = e;
                clock.End(e.Message);
                throw;
            }
        }
    }
}
