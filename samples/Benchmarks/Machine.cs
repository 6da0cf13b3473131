using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Microsoft.ML.CoLM;
using TorchSharp;

namespace Benchmarks;

/// <summary>What the program runs on.</summary>
internal static class Machine
{
    public static object Describe() => new
    {
        system = RuntimeInformation.OSDescription,
        runtime = RuntimeInformation.FrameworkDescription,
        processor = Processor(),
        vectors = VectorBits,
        cores = Environment.ProcessorCount,
        threads = torch.get_num_threads(),
        products = MatrixProducts.Current.ToString(),
        gpus = torch.cuda.is_available() ? torch.cuda.device_count() : 0,
        libtorch = torch.__version__,
    };

    /// <summary>Bits of the widest vectors that .NET uses here.</summary>
    public static int VectorBits =>
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;

    private static string Processor()
    {
        const string cpuInfo = "/proc/cpuinfo";
        return !File.Exists(cpuInfo) ? RuntimeInformation.ProcessArchitecture.ToString()
            : File.ReadLines(cpuInfo).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?
                .Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
