using System.Diagnostics;
using System.Globalization;
using System.Reflection;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>Runs one test of this assembly again, in a process of its own.</summary>
internal static class FreshProcess
{
    /// <summary>What tells the program which process it is to be.</summary>
    public const string Kind = "test";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Whether this is such a process.</summary>
    public static bool IsThis { get; private set; }

    /// <summary>Runs the calling test, with its row's values and with environment variables that tell it which part it plays.</summary>
    public static void RunTest(TestContext test, Dictionary<string, string>? variables = null)
    {
        var row = (test.TestData ?? []).Select(value => Convert.ToString(value, CultureInfo.InvariantCulture)!);
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [typeof(FreshProcess).Assembly.Location, Kind, test.FullyQualifiedTestClassName!, test.TestName!, .. row])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (variable, value) in variables ?? [])
            start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(test.CancellationToken);
        var output = process.StandardOutput.ReadToEndAsync(test.CancellationToken);
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{test.TestName} did not end in another process.");
        }
        test.WriteLine(output.Result);
        Assert.AreEqual(0, process.ExitCode, error.Result);
    }

    /// <summary>What the process does.</summary>
    public static void Run(string className, string testName, string[] row)
    {
        IsThis = true;
        var type = typeof(FreshProcess).Assembly.GetType(className, throwOnError: true)!;
        var test = type.GetMethod(testName) ?? throw new MissingMethodException(className, testName);
        var values = test.GetParameters().Zip(row, (parameter, value) =>
            Convert.ChangeType(value, parameter.ParameterType, CultureInfo.InvariantCulture));
        test.Invoke(Activator.CreateInstance(type), BindingFlags.DoNotWrapExceptions, binder: null, [.. values], culture: null);
    }
}
