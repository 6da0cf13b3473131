using ClusterSample.Blocks;
using Microsoft.ML;

namespace ClusterSample.Client;

/// <summary>
/// Scores views as the model's own <c>Transform</c> does, on the silos of a cluster. The client has the model, too: what it
/// computes, and of which columns, is asked of the model itself.
/// </summary>
internal sealed class ClusterScorer : IAsyncDisposable
{
    private const int BatchesOfBlock = 4;

    private readonly SiloRoster _roster;
    private readonly ScoringJobs _jobs;
    private readonly ITransformer _model;

    private ClusterScorer(SiloRoster roster, ScoringJobs jobs, ITransformer model, int threads) =>
        (_roster, _jobs, _model, Threads) = (roster, jobs, model, threads);

    /// <summary>The model at the chain count that the silos score with; this client's.</summary>
    public ITransformer Local => _model;

    /// <summary>
    /// Threads of a silo's arithmetic. On another number of threads products are divided otherwise, and a score may differ in
    /// its last bit.
    /// </summary>
    public int Threads { get; }

    /// <summary>Finds the silos that hold a model.</summary>
    /// <param name="file">The model; it stays the caller's.</param>
    /// <param name="options">How the cluster is used.</param>
    /// <param name="cancellationToken">Ends the search, and all scoring later.</param>
    /// <exception cref="ArgumentException">The block is no multiple of the model's batch size.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The model has not so many chains.</exception>
    /// <exception cref="ScoringUnavailableException">No silo with the model is to be had; the message says which are there.</exception>
    /// <exception cref="InvalidOperationException">
    /// No chain count was asked for, and silos were started with different ones.
    /// </exception>
    public static async Task<ClusterScorer> ConnectAsync(
        ModelFile file, ClientOptions options, CancellationToken cancellationToken)
    {
        var blockSize = BlockSizeOf(file, options.BlockSize);
        CheckChainCount(file, options.ChainCount);
        var roster = new SiloRoster(options.Membership, file, options.BlockTimeout, options.Log);
        try
        {
            var silos = await roster.WaitAsync(options.Scheduling.Wait, cancellationToken);
            WarnOfThreads(silos, options.Log);
            var chainCount = options.ChainCount;
            if (chainCount is null)
                roster.Agree(chainCount = CommonChainCount(silos));
            var model = chainCount is { } count ? file.Model.WithChainCount(count) : file.Model;
            return new(
                roster, new(file, chainCount, blockSize, options.Scheduling, roster, options.Progress, cancellationToken), model,
                silos[0].Description.Threads);
        }
        catch
        {
            await roster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Checks what needs no silo.</summary>
    /// <exception cref="ArgumentException">
    /// The block or the chain count does not fit the model, or the input lacks a column that it reads.
    /// </exception>
    public static void Check(ModelFile file, ClientOptions options, DataViewSchema input)
    {
        BlockSizeOf(file, options.BlockSize);
        CheckChainCount(file, options.ChainCount);
        file.Model.GetOutputSchema(input);
    }

    /// <summary>The view with its scores; rows are scored where they are read.</summary>
    /// <exception cref="ArgumentException">The view lacks a column that the model reads.</exception>
    /// <exception cref="NotSupportedException">A column is of a type that cannot be sent.</exception>
    public IDataView Transform(IDataView input)
    {
        var plan = ScoringPlan.Create(_model, input.Schema);
        BlockFormat.Check(_jobs.File.MLContext, plan.Inputs);
        BlockFormat.Check(_jobs.File.MLContext, plan.Computed);
        return new ClusterDataView(input, plan, _jobs);
    }

    public async ValueTask DisposeAsync()
    {
        if (_model != _jobs.File.Model)
            (_model as IDisposable)?.Dispose();
        await _roster.DisposeAsync();
    }

    private static void CheckChainCount(ModelFile file, int? chainCount)
    {
        if (chainCount is { } count)
            (file.Model.WithChainCount(count) as IDisposable)?.Dispose();
    }

    // Batches are then those of the whole view: a row's scores depend on its batch's other rows by rounding.
    private static int BlockSizeOf(ModelFile file, int? asked)
    {
        var batchSize = file.Scorer.BatchSize;
        var size = asked ?? batchSize * BatchesOfBlock;
        return size > 0 && size % batchSize == 0 ? size : throw new ArgumentException(FormattableString.Invariant(
            $"--block must be a multiple of the model's batch size, {batchSize}, found {size}."));
    }

    private static void WarnOfThreads(IReadOnlyList<OrleansSilo> silos, Action<string> log)
    {
        if (silos.Select(silo => silo.Description.Threads).Distinct().Count() > 1)
            log("Silos have different numbers of threads: which of them scores a row may change its last bit.");
    }

    private static int? CommonChainCount(IReadOnlyList<OrleansSilo> silos)
    {
        var first = silos[0];
        var other = silos.FirstOrDefault(silo => silo.Description.ChainCount != first.Description.ChainCount);
        return other is null ? first.Description.ChainCount : throw new InvalidOperationException(
            $"Silo {first.Name} scores {ChainCounts.Describe(first.Description.ChainCount)}, silo {other.Name} " +
            $"{ChainCounts.Describe(other.Description.ChainCount)}: name one for all with --chain-count.");
    }
}
