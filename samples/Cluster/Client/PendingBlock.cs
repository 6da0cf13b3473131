namespace ClusterSample.Client;

/// <summary>A block on its way.</summary>
internal sealed class PendingBlock(InputBlock block)
{
    private readonly TaskCompletionSource<ScoredBlock> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public InputBlock Block => block;

    /// <summary>How often a silo was lost with it.</summary>
    public int Failures { get; set; }

    public Task<ScoredBlock> Result => _completion.Task;

    public void Complete(ScoredBlock scored) => _completion.TrySetResult(scored);

    public void Fail(Exception error) => _completion.TrySetException(error);
}
