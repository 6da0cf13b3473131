using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Benchmarks.Link;

/// <summary>A command that runs at one end of a link, until it ends, someone asks for its end, or the link fails.</summary>
internal sealed class LinkRun : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3); // for a command to end after a signal

    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _signals;

    public LinkRun() =>
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(
            signal => PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                _asked.TrySetResult();
            }))];

    /// <returns>The command's exit code.</returns>
    /// <exception cref="IOException">The link failed.</exception>
    public int Wait(Process command, Task[] link)
    {
        var ended = command.WaitForExitAsync();
        Task.WaitAny([ended, _asked.Task, .. link]);
        // A terminal tells the command as well; others may tell this process alone.
        if (!ended.IsCompleted && !ended.Wait(Grace))
        {
            _ = Libc.Kill(command.Id, Libc.Terminate);
            if (!ended.Wait(Grace))
            {
                command.Kill();
                ended.Wait();
            }
        }
        foreach (var direction in link.Where(direction => direction.IsFaulted))
            direction.GetAwaiter().GetResult();
        return command.ExitCode;
    }

    /// <summary>Whether it is to end.</summary>
    public bool IsAsked => _asked.Task.IsCompleted;

    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
    }
}
