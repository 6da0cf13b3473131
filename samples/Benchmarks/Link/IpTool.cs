using System.ComponentModel;
using System.Diagnostics;

namespace Benchmarks.Link;

/// <summary>The program <c>ip</c>.</summary>
internal static class IpTool
{
    private const string Name = "ip";

    /// <returns>What it printed.</returns>
    /// <exception cref="InvalidOperationException">It is not installed, or failed.</exception>
    public static string Run(params string[] arguments)
    {
        using var process = Start(new(Name, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output
            : throw new InvalidOperationException($"'ip {string.Join(' ', arguments)}' failed: {error.Result.Trim()}");
    }

    /// <summary>Starts a command in a namespace; the process is the command's own.</summary>
    /// <exception cref="InvalidOperationException">It is not installed.</exception>
    public static Process Execute(string space, IEnumerable<string> command, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var start = new ProcessStartInfo(Name, ["netns", "exec", space, .. command]);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Start(start);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"The program '{Name}' (of iproute2) could not be started: {e.Message}.", e);
        }
    }
}
