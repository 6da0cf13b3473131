using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// The one thread that calls MPI, which many implementations demand; whoever asks for something waits until it is done.
/// </summary>
internal sealed class MpiThread : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];

    public MpiThread() => new Thread(Run) { IsBackground = true, Name = "MPI" }.Start();

    /// <summary>Runs something on the thread, and throws what it throws.</summary>
    /// <param name="action">What to run.</param>
    /// <param name="limit">How long to wait; null for as long as it takes.</param>
    /// <returns>False where the time was up before; the thread then goes on with it.</returns>
    public bool TryRun(Action action, TimeSpan? limit = null)
    {
        var done = new ManualResetEventSlim();
        ExceptionDispatchInfo? thrown = null;
        _work.Add(() =>
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                thrown = ExceptionDispatchInfo.Capture(e);
            }
            done.Set();
        });
        if (!done.Wait(limit ?? Timeout.InfiniteTimeSpan))
            return false;
        thrown?.Throw();
        return true;
    }

    /// <summary>Ends the thread, once it has done what was asked of it.</summary>
    public void Dispose() => _work.CompleteAdding();

    private void Run()
    {
        foreach (var action in _work.GetConsumingEnumerable())
            action();
        _work.Dispose();
    }
}
