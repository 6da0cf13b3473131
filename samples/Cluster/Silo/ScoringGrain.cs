using ClusterSample.Contracts;

namespace ClusterSample.Silo;

/// <summary>
/// One activation a silo, which all threads of the silo's arithmetic belong to; further blocks wait in front of it. Stateless
/// workers are in no directory: one that a dead silo had a part of would hold up calls for seconds.
/// </summary>
[StatelessWorker(maxLocalWorkers: 1)]
internal sealed class ScoringGrain(SiloModel model) : Grain, IScoringGrain
{
    public Task<SiloDescription> Describe() => Task.FromResult(model.Description);

    public Task<ScoringAnswer> Score(ScoringRequest request, CancellationToken cancellationToken) =>
        model.Score(request, cancellationToken);
}
