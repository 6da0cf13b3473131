using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// What all sessions of a model on the CPU share, from the first of them until the model's weights are others: the weights as
/// inference reads them, who computes what, and one team of threads.
/// </summary>
/// <remarks>
/// Safe for several threads. Sessions take turns with the team; while as many compute as it has threads, each computes on its
/// caller's thread alone, so that none waits for another. Results are the same to the bit.
/// </remarks>
internal sealed class InferenceEngine : IDisposable
{
    private readonly ConcurrentDictionary<(ChainRange Chains, int Threads), RangePlan> _plans = [];
    private readonly Lifetime _lifetime;
    private int _passes;
    private bool _isFreed;

    private InferenceEngine(CoLMModel model)
    {
        Weights = new InferenceWeights(model);
        Team = new WorkerTeam(get_num_threads());
        _lifetime = new Lifetime(this, Free);
    }

    // A model that nobody disposed leaves no threads behind.
    ~InferenceEngine()
    {
        if (!_isFreed)
            Team?.Abandon();
    }

    public InferenceWeights Weights { get; }

    /// <summary>The threads, for work in which they wait for each other.</summary>
    public WorkerTeam Team { get; }

    /// <summary>Begins a use of a model's engine, which is made where there is none of its weights as they are.</summary>
    /// <param name="model">The model, without adapters.</param>
    /// <param name="engine">Its engine, until what this gives is disposed.</param>
    public static Lifetime.Use Enter(CoLMModel model, out InferenceEngine engine)
    {
        lock (model.Engine.Gate)
        {
            if (model.Engine.Engine is InferenceEngine kept && kept.IsCurrent())
            {
                engine = kept;
            }
            else
            {
                engine = new InferenceEngine(model);
                model.Engine.Replace(engine);
            }
            return engine._lifetime.Enter();
        }
    }

    /// <summary>Who computes what when a range of chains is run for a few rows.</summary>
    /// <param name="chains">The chains.</param>
    /// <param name="threads">All of the team's threads, or one.</param>
    public RangePlan Plan(ChainRange chains, int threads) => _plans.TryGetValue((chains, threads), out var plan)
        ? plan : _plans.GetOrAdd((chains, threads), new RangePlan(Weights, chains, threads));

    /// <summary>Begins a session's pass, until what this gives is disposed.</summary>
    public Pass Begin() => new(this);

    /// <summary>All threads' shares of work in which none waits for another.</summary>
    /// <param name="work">Gets the number of a share.</param>
    public void RunShares(Action<int> work)
    {
        if (!IsBusy)
        {
            Team.Run(work);
            return;
        }
        for (var share = 0; share < Team.Count; share++)
            work(share);
    }

    /// <summary>Whether as many sessions compute at this moment as there are threads, and several.</summary>
    public bool IsBusy => Volatile.Read(ref _passes) >= Math.Max(2, Team.Count);

    /// <summary>Frees what it has, now or with the end of its last use.</summary>
    public void Dispose()
    {
        _lifetime.Dispose();
        // Where a session is left that nobody ends, the threads are the finalizer's affair.
        if (_isFreed)
            GC.SuppressFinalize(this);
    }

    // Threads may see different numbers of libtorch's threads: whoever comes first decides while others are there.
    private bool IsCurrent() => !_lifetime.IsDisposed && Weights.AreCurrent() &&
        (Team.Count == get_num_threads() || _lifetime.IsUsed);

    private void Free()
    {
        _isFreed = true;
        Team.Dispose();
        Weights.Dispose();
    }

    /// <summary>A session's pass, which ends when it is disposed.</summary>
    internal readonly ref struct Pass : IDisposable
    {
        private readonly InferenceEngine _engine;

        public Pass(InferenceEngine engine)
        {
            _engine = engine;
            Interlocked.Increment(ref engine._passes);
        }

        public void Dispose() => Interlocked.Decrement(ref _engine._passes);
    }
}
