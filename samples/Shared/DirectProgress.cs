namespace Samples;

/// <summary>Reports on the thread that works: System.Progress would report late, and out of order.</summary>
internal sealed class DirectProgress<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
