using System.Runtime.ExceptionServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Loops on the thread pool. The first exception of their work comes out as it is.</summary>
internal static class ParallelWork
{
    /// <summary>Calls a function with every number from 0 on.</summary>
    public static void For(int count, Action<int> work) => Unwrapped(() => Parallel.For(0, count, work));

    /// <summary>As <see cref="For(int, Action{int})"/>, with something that each of some threads has for itself.</summary>
    /// <param name="count">How many numbers.</param>
    /// <param name="threads">How many threads may take part.</param>
    /// <param name="create">Makes what a thread has.</param>
    /// <param name="work">The work.</param>
    public static void For<T>(int count, int threads, Func<T> create, Action<int, T> work)
        where T : IDisposable
    {
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        Unwrapped(() => Parallel.For(0, count, options, create, (i, _, own) =>
        {
            work(i, own);
            return own;
        }, static own => own.Dispose()));
    }

    private static void Unwrapped(Action loop)
    {
        try
        {
            loop();
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.Flatten().InnerExceptions[0]);
        }
    }
}
