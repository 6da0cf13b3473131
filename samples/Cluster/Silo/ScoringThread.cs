using System.Collections.Concurrent;
using TorchSharp;

namespace ClusterSample.Silo;

/// <summary>
/// One thread that does all scoring of a silo, a block at a time. Orleans's own threads stay free, so that a silo answers the
/// others' probes however long a block takes.
/// </summary>
internal sealed class ScoringThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    /// <param name="threads">Threads of its arithmetic.</param>
    public ScoringThread(int threads)
    {
        _thread = new Thread(() => Work(threads)) { IsBackground = true, Name = "Scoring" };
        _thread.Start();
    }

    /// <summary>Does something on the thread.</summary>
    public Task<T> Run<T>(Func<T> work, CancellationToken cancellationToken)
    {
        // Whoever waits goes on elsewhere: this thread has the next block to do.
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                completion.SetResult(work());
            }
            catch (OperationCanceledException e)
            {
                completion.SetCanceled(e.CancellationToken);
            }
            catch (Exception e)
            {
                completion.SetException(e);
            }
        }, cancellationToken);
        return completion.Task;
    }

    /// <summary>Takes no more work; what is being done is not waited for.</summary>
    public void Dispose() => _work.CompleteAdding();

    private void Work(int threads)
    {
        // It holds for the thread that calls it.
        torch.set_num_threads(threads);
        foreach (var work in _work.GetConsumingEnumerable())
            work();
    }
}
