using System.Diagnostics;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>Runs one test of this assembly again, in a process of its own.</summary>
internal static class FreshProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Runs the calling test with environment variables that tell it which part it plays.</summary>
    public static void RunTest(TestContext test, Dictionary<string, string> variables)
    {
        var name = $"{test.FullyQualifiedTestClassName}.{test.TestName}";
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            ["vstest", typeof(FreshProcess).Assembly.Location, $"--TestCaseFilter:FullyQualifiedName={name}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in variables)
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(test.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(test.CancellationToken);
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{name} did not end in another process.");
        }
        Assert.AreEqual(0, process.ExitCode, $"{output.Result}\n{error.Result}");
        Assert.Contains("Passed", output.Result);
    }
}
