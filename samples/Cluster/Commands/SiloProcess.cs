using System.Diagnostics;
using System.Globalization;
using ClusterSample.Membership;
using ClusterSample.Silo;

namespace ClusterSample.Commands;

/// <summary>This program once more, as a silo; it ends with this process, in whatever way that ends.</summary>
internal sealed class SiloProcess : IDisposable
{
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(10);

    private readonly Process _process;

    private SiloProcess(Process process, string line) => (_process, Line) = (process, line);

    /// <summary>What it said when it was ready.</summary>
    public string Line { get; }

    public int Id => _process.Id;

    /// <summary>Starts it, and waits until clients may come.</summary>
    /// <exception cref="InvalidOperationException">It ended; what it said is on standard error.</exception>
    public static async Task<SiloProcess> StartAsync(
        string modelPath, ClusterMembership membership, int threads, CancellationToken cancellationToken, params string[] more)
    {
        var program = Path.ChangeExtension(typeof(SiloProcess).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);
        var process = Process.Start(new ProcessStartInfo(program,
            [SiloCommand.Name, "--model", modelPath, "--membership", membership.ToString()!,
                "--threads", threads.ToString(CultureInfo.InvariantCulture), SiloCommand.EndsWithInput, .. more])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(StartPatience);
            while (await process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
            {
                if (line.StartsWith(SiloServer.Ready, StringComparison.Ordinal))
                    return new(process, line);
            }
            throw new InvalidOperationException("The process of a silo ended before it was ready.");
        }
        catch (Exception e)
        {
            process.Kill();
            process.Dispose();
            if (e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
                throw new InvalidOperationException($"The process of a silo was not ready within {StartPatience.TotalSeconds} s.", e);
            throw;
        }
    }

    /// <summary>Starts several at once.</summary>
    public static async Task<List<SiloProcess>> StartAsync(
        int count, string modelPath, ClusterMembership membership, int threads, CancellationToken cancellationToken)
    {
        Task<SiloProcess>[] starts = [.. Enumerable.Range(0, count).Select(
            _ => StartAsync(modelPath, membership, threads, cancellationToken))];
        try
        {
            return [.. await Task.WhenAll(starts)];
        }
        catch
        {
            foreach (var started in starts.Where(start => start.IsCompletedSuccessfully))
                started.Result.Dispose();
            throw;
        }
    }

    /// <summary>Ends it at once, as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Has it leave the cluster in good order, or ends it.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            try
            {
                _process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It is ending by itself.
            }
            if (!_process.WaitForExit(StopPatience))
                _process.Kill();
        }
        _process.Dispose();
    }
}
