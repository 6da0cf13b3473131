using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;

namespace ForgettingStudy;

/// <summary>
/// The program in a process of its own, which the study starts for each training: it reads a request from standard input
/// and writes messages, each a line of JSON, to standard output.
/// </summary>
internal sealed class WorkerCommand : Command
{
    public const string CommandName = "worker";

    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(0.5);

    private long _reported;

    public WorkerCommand()
        : base(CommandName, "Does one training.")
    {
        Hidden = true;
        SetAction(_ => Work());
    }

    private int Work()
    {
        var request = JsonSerializer.Deserialize<WorkerRequest>(Console.ReadLine()!, StudyDocument.Json)!;
        EndWithStudy();
        try
        {
            Write(request.Run is { } run
                ? new(Run: Tuning.Run(request.Files, run, request.ExpandedFolder, Report))
                : new(Expansion: Expansion.Run(request.Files, request.Expansion!, request.ExpandedFolder, Report)));
            return 0;
        }
        catch (Exception e) when (Errors.AreExpected(e))
        {
            Write(new(Error: Errors.MessageOf(e)));
            return 1;
        }
    }

    // The study keeps this process's input open for as long as it lives.
    private static void EndWithStudy() => new Thread(() =>
    {
        while (Console.ReadLine() is not null)
        {
        }
        Environment.Exit(1);
    })
    { IsBackground = true }.Start();

    private void Report(double done)
    {
        if (_reported != 0 && Stopwatch.GetElapsedTime(_reported) < ReportInterval)
            return;
        _reported = Stopwatch.GetTimestamp();
        Write(new(Done: done));
    }

    private static void Write(WorkerMessage message) =>
        Console.WriteLine(JsonSerializer.Serialize(message, StudyDocument.Json));
}
