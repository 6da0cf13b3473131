using System.CommandLine;
using System.Reflection;

namespace Samples;

/// <summary>How a sample runs: Ctrl+C ends it after the step or the row that it is in, and what goes wrong is told in a line.</summary>
internal static class SampleCommand
{
    // The time for that step.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static void SetAction(Command command, Action<ParseResult, CancellationToken> action) =>
        command.SetAction((result, cancellation) => Task.Run(() =>
        {
            try
            {
                action(result, cancellation);
                return 0;
            }
            catch (OperationCanceledException)
            {
                Console.Error.WriteLine("Cancelled.");
            }
            catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException
                or InvalidDataException or InvalidOperationException or NotSupportedException or DllNotFoundException
                or FormatException or TargetInvocationException or TypeInitializationException)
            {
                Console.Error.WriteLine(MessageOf(e));
            }
            return 1;
        }, CancellationToken.None));

    public static Task<int> RunAsync(Command command, string[] args) =>
        command.Parse(args).InvokeAsync(new() { ProcessTerminationTimeout = Patience });

    // ML.NET's loader and .NET wrap what a component throws.
    private static string MessageOf(Exception error)
    {
        for (var inner = error; inner is not null; inner = inner.InnerException)
        {
            if (inner is TargetInvocationException or TypeInitializationException)
                error = inner.InnerException ?? inner;
        }
        return error.Message;
    }
}
