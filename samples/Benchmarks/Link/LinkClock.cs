using System.Diagnostics;

namespace Benchmarks.Link;

/// <summary>Time in nanoseconds, from any moment on.</summary>
internal static class LinkClock
{
    public const long Second = 1_000_000_000;

    // On Linux that is its unit.
    public static long Now => Stopwatch.GetTimestamp();
}
