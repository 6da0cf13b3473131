using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace ForgettingStudy;

/// <summary>
/// Starts this program once more for one training, so that its memory is its own and no run depends on the one before.
/// </summary>
internal static class Worker
{
    // A worker that Ctrl+C ended, too, may be seen to end before the study hears of it.
    private static readonly TimeSpan CancellationDelay = TimeSpan.FromSeconds(1);

    /// <summary>Waits for the worker's result.</summary>
    /// <param name="request">What to do.</param>
    /// <param name="threads">Threads of its arithmetic; null for one on each core.</param>
    /// <param name="report">Told the share that is done.</param>
    /// <param name="cancellation">Ends the worker.</param>
    /// <exception cref="InvalidOperationException">The worker found no result; the message says why.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static WorkerMessage Run(
        WorkerRequest request, int? threads, Action<double> report, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        using var process = Process.Start(StartInfo(threads))!;
        using var registration = cancellation.Register(() => process.Kill(entireProcessTree: true));
        WorkerMessage? last = null;
        try
        {
            process.StandardInput.WriteLine(JsonSerializer.Serialize(request, StudyDocument.Json));
            process.StandardInput.Flush();
            while (process.StandardOutput.ReadLine() is { } line)
            {
                last = JsonSerializer.Deserialize<WorkerMessage>(line, StudyDocument.Json)!;
                if (last.Done is { } done)
                    report(done);
            }
            process.WaitForExit();
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            // The worker ended in the middle: what follows says so.
            last = null;
            process.Kill(entireProcessTree: true);
        }
        if (last is { Run: not null } or { Expansion: not null })
            return last;
        if (last is not { Error: not null })
            cancellation.WaitHandle.WaitOne(CancellationDelay);
        cancellation.ThrowIfCancellationRequested();
        throw new InvalidOperationException(
            $"{request.Run?.Method ?? "The expansion"}: {last?.Error ?? "its process ended without a result."}");
    }

    private static ProcessStartInfo StartInfo(int? threads)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
        // Where "dotnet" runs the program's library, instead of the program itself.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Add(Environment.GetCommandLineArgs()[0]);
        start.ArgumentList.Add(WorkerCommand.CommandName);
        // libtorch reads it where it is loaded.
        if (threads is { } count)
            start.Environment["OMP_NUM_THREADS"] = count.ToString(CultureInfo.InvariantCulture);
        return start;
    }
}
