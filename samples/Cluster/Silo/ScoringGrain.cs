using ClusterSample.Contracts;

namespace ClusterSample.Silo;

/// <summary>
/// One a silo, beside every silo's gateway: a second block of the same client waits in front of it, and starts with nothing in
/// between.
/// </summary>
[StatelessWorker(maxLocalWorkers: 1)]
internal sealed class ScoringGrain(SiloModel model) : Grain, IScoringGrain
{
    public Task<SiloDescription> Describe() => Task.FromResult(model.Description);

    public Task<ScoringAnswer> Score(ScoringRequest request, CancellationToken cancellationToken) =>
        model.Score(request, cancellationToken);
}
