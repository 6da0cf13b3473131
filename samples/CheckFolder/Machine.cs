using System.Reflection;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM;

namespace CheckFolder;

/// <summary>What the program runs on.</summary>
internal static class Machine
{
    public static (string Name, string Text)[] Describe() =>
    [
        ("Library", $"Microsoft.ML.CoLM {typeof(CoLMModel).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}, " +
            RuntimeInformation.FrameworkDescription),
        ("System", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture}"),
        ("Processor", $"{Processor()}, {Environment.ProcessorCount} cores, " +
            $"{Size.Of(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)} of memory"),
        ("Products", $"{MatrixProducts.Current}"),
    ];

    private static string Processor()
    {
        const string CpuInfo = "/proc/cpuinfo";
        var model = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1]
            : Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER");
        return model?.Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
