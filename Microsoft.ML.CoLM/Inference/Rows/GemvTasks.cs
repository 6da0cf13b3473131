using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// The products between two meetings of the threads, divided evenly. Where there are many, a thread's share is a large task of
/// its own, then smaller and smaller ones, which those who are done sooner take from it: memory does not serve all at the same
/// speed.
/// </summary>
/// <remarks>A thread keeps its share as long as it can, since its caches may hold a part of it from the last time.</remarks>
internal sealed class GemvTasks
{
    // Weights of the smallest tasks: of fewer, fetching what another thread was to compute takes longer than waiting for it.
    private const int FewestWeights = 1 << 14;

    // One of so many parts of a share may be taken by others, where that makes several tasks.
    private const int SpareOneOf = 4;
    private const int FewestSpareTasks = 2;

    // Outputs are divided in whole multiples of this, since kernels compute so many at once.
    private const int Grain = 4;

    // What is counted for a thread has a cache line of its own.
    private const int CounterStride = 16;

    private readonly GemvPiece[][] _tasks;
    private readonly int[] _firsts;
    private readonly int _threads;
    private readonly bool _hasSpare;

    /// <param name="products">
    /// All outputs of matrices. Those of a group have equally many, and the same outputs of each are computed by one task, one
    /// matrix after the other.
    /// </param>
    /// <param name="threads">Threads that will take part.</param>
    public GemvTasks(IReadOnlyList<GemvPiece[]> products, int threads)
    {
        _threads = threads;
        Weights = products.Sum(group => group.Sum(product => product.Weights));
        _hasSpare = threads > 1 && Weights / threads >= SpareOneOf * FewestSpareTasks * FewestWeights;
        (var ends, _firsts) = Ends();
        _tasks = Divide(products, ends);
    }

    /// <summary>How many weights are read.</summary>
    public long Weights { get; }

    /// <summary>Numbers in which those who carry the products out together note what they have taken: zeros at first.</summary>
    public int CounterCount => CounterStride * (_threads + 1);

    /// <summary>Where its numbers begin among those of a plan, which says so.</summary>
    public int FirstCounter { get; set; }

    /// <summary>Takes the thread's next task, or, when it has none left, another's that may be taken.</summary>
    /// <param name="counters">[<see cref="CounterCount"/>].</param>
    /// <param name="thread">The thread.</param>
    /// <param name="task">The task.</param>
    public bool TryTake(Span<int> counters, int thread, [NotNullWhen(true)] out GemvPiece[]? task)
    {
        ref var hasBegun = ref counters[CounterStride * (thread + 1) + 1];
        if (hasBegun == 0)
        {
            hasBegun = 1;
            task = _tasks[_firsts[thread]];
            return true;
        }
        for (var i = 0; _hasSpare && i < _threads; i++)
        {
            if (TryTakeSpare(counters, (thread + i) % _threads, out task))
                return true;
        }
        task = null;
        return false;
    }

    private bool TryTakeSpare(Span<int> counters, int owner, [NotNullWhen(true)] out GemvPiece[]? task)
    {
        ref var taken = ref counters[CounterStride * (owner + 1)];
        var spare = _firsts[owner + 1] - _firsts[owner] - 1;
        if (Volatile.Read(ref taken) < spare && Interlocked.Increment(ref taken) is var number && number <= spare)
        {
            task = _tasks[_firsts[owner] + number];
            return true;
        }
        task = null;
        return false;
    }

    /// <summary>For each task, how many weights it and those before it read; for each thread, its first task.</summary>
    private (List<long> Ends, int[] Firsts) Ends()
    {
        List<long> ends = [];
        var firsts = new int[_threads + 1];
        for (var thread = 0; thread < _threads; thread++)
        {
            var (first, end) = (Weights * thread / _threads, Weights * (thread + 1) / _threads);
            ends.Add(_hasSpare ? end - (end - first) / SpareOneOf : end);
            while (end - ends[^1] is var left and > 0)
                ends.Add(left < 2 * FewestWeights ? end : ends[^1] + Math.Max(FewestWeights, left / 2));
            firsts[thread + 1] = ends.Count;
        }
        return (ends, firsts);
    }

    private static GemvPiece[][] Divide(IReadOnlyList<GemvPiece[]> products, List<long> ends)
    {
        var tasks = ends.ConvertAll(_ => new List<GemvPiece>());
        long before = 0;
        foreach (var group in products)
        {
            var (outputs, weights) = (group[0].End, group.Sum(product => product.Weights));
            for (int task = 0, first = 0; first < outputs; task++)
            {
                var end = task == tasks.Count - 1 || ends[task] - before >= weights
                    ? outputs
                    : Math.Min(outputs, WholeGrains(Math.Max(0, ends[task] - before) * outputs / weights));
                if (end <= first)
                    continue;
                tasks[task].AddRange(group.Select(product => product with { First = first, End = end }));
                first = end;
            }
            before += weights;
        }
        return [.. tasks.Select(task => task.ToArray())];
    }

    private static int WholeGrains(long outputs) => (int)((outputs + Grain - 1) / Grain * Grain);
}
