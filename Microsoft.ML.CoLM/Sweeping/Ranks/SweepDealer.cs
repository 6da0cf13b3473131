using System.Buffers.Binary;
using System.Runtime.ExceptionServices;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Deals the candidates to all ranks as they finish, from a thread of rank 0; its own share is dealt by the same rules.</summary>
internal sealed class SweepDealer : IDisposable
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(1);

    private readonly Communicator _communicator;
    private readonly SweepLedger _ledger;
    private readonly SweepClock _clock;
    private readonly Lock _gate = new();
    private readonly int?[] _inHand; // of each rank its candidate, 0 for other work; null for a rank that rests
    private readonly List<int> _turns = []; // ranks that want to measure; the first one does when all others rest
    private readonly HashSet<int> _present;
    private readonly Thread _thread;
    private int? _measuring;
    private CandidateRecord[]? _results;
    private volatile ExceptionDispatchInfo? _thrown;
    private volatile bool _isStopped;

    public SweepDealer(Communicator communicator, SweepLedger ledger, SweepClock clock)
    {
        (_communicator, _ledger, _clock) = (communicator, ledger, clock);
        _inHand = new int?[communicator.Size];
        _present = [.. Enumerable.Range(1, communicator.Size - 1)];
        _thread = new(Serve) { IsBackground = true, Name = "Sweep's dealer" };
        _thread.Start();
    }

    /// <summary>What a rank is to do next, which has done what it was to do.</summary>
    public Deal Next(int rank)
    {
        ThrowIfBroken();
        lock (_gate)
        {
            _inHand[rank] = null;
            if (_turns.Count > 0 && !_clock.IsOver)
                return Rest(rank);
            if (!_clock.IsOver && _ledger.Next(_inHand.OfType<int>()) is { } candidate)
            {
                _inHand[rank] = candidate;
                return new(Deal.What.Try, candidate);
            }
            return rank == 0 && (_ledger.HasArrivals || Array.Exists(_inHand, held => held is not null))
                ? Rest(rank) : new(Deal.What.End);
        }
    }

    /// <summary>Whether a rank that wants to measure may: all others rest, or wait for the same.</summary>
    public bool TryTakeTurn(int rank)
    {
        ThrowIfBroken();
        lock (_gate)
        {
            if (!_turns.Contains(rank))
                _turns.Add(rank);
            for (var other = 0; other < _inHand.Length; other++)
            {
                if (_inHand[other] is not null && !_turns.Contains(other))
                    return false;
            }
            if (_turns[0] == rank)
                _measuring = rank;
            return _measuring == rank;
        }
    }

    public void GiveTurn(int rank)
    {
        lock (_gate)
        {
            _turns.Remove(rank);
            if (_measuring == rank)
                _measuring = null;
        }
    }

    /// <summary>Tells all ranks the end, and waits until they know.</summary>
    public void End()
    {
        lock (_gate)
            _results = _ledger.Records;
        _thread.Join();
        ThrowIfBroken();
    }

    public void Dispose()
    {
        _isStopped = true;
        _thread.Join();
    }

    private Deal Rest(int rank)
    {
        if (rank != 0 || _measuring is not null || !_ledger.HasArrivals)
            return new(Deal.What.Wait);
        _inHand[rank] = 0;
        return new(Deal.What.Load);
    }

    private void Serve()
    {
        try
        {
            while (_present.Count > 0 && !_isStopped)
            {
                foreach (var rank in _present.ToArray())
                {
                    if (_communicator.TryReceive(rank) is not { } message)
                        continue;
                    var answer = Answer(rank, (RankQuestion)message[0], message.AsSpan(1));
                    _communicator.Send(JsonSerializer.SerializeToUtf8Bytes(answer, SweepLog.Json), rank);
                    if (answer.Results is not null)
                        _present.Remove(rank);
                }
                Thread.Sleep(Between);
            }
        }
        catch (Exception e)
        {
            // The sweep's own thread throws it; what it trains is in vain.
            _thrown = ExceptionDispatchInfo.Capture(e);
            _clock.End(e.Message);
        }
    }

    private RankAnswer Answer(int rank, RankQuestion question, ReadOnlySpan<byte> content)
    {
        var answer = new RankAnswer();
        switch (question)
        {
            case RankQuestion.GoesOn:
                if (Read<string>(content) is { Length: > 0 } reason)
                    _clock.End(reason);
                break;
            case RankQuestion.Next:
                answer = answer with { Deal = Next(rank) };
                break;
            case RankQuestion.Wants:
                answer = answer with { IsYes = _ledger.Wants(Read<TrialPoint[]>(content)) };
                break;
            case RankQuestion.Chunk:
                _ledger.Receive(BinaryPrimitives.ReadInt32LittleEndian(content), isFirst: content[sizeof(int)] != 0, content[(sizeof(int) + 1)..]);
                break;
            case RankQuestion.Done:
                _ledger.Finish(Read<RankReport>(content));
                break;
            case RankQuestion.TakeTurn:
                answer = answer with { IsYes = TryTakeTurn(rank) };
                break;
            case RankQuestion.GiveTurn:
                GiveTurn(rank);
                break;
            default:
                lock (_gate)
                    answer = answer with { Results = _results };
                break;
        }
        return _clock.IsOver ? answer with { Over = _clock.Reason } : answer;
    }

    private static T Read<T>(ReadOnlySpan<byte> content) => JsonSerializer.Deserialize<T>(content, SweepLog.Json)!;

    private void ThrowIfBroken() => _thrown?.Throw();
}
