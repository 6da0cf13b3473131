using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>How libtorch's threads wait for work on Linux.</summary>
internal static partial class OpenMPWaiting
{
    // GNU OpenMP's threads spin for some milliseconds after each parallel operation, on cores that the library's own
    // kernels, the caller's threads and other processes need. After so many spins, some microseconds, they sleep.
    private const string SpinCountVariable = "GOMP_SPINCOUNT";
    private const string SpinCount = "1000";

    /// <summary>
    /// Takes effect before libtorch is loaded. A process that sets the variable, or <c>OMP_WAIT_POLICY</c>, decides for
    /// itself.
    /// </summary>
    public static void LimitSpinning()
    {
        // .NET's own environment is a copy that native libraries do not see.
        if (OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
            _ = SetEnvironmentVariable(SpinCountVariable, SpinCount, overwrite: 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironmentVariable(string name, string value, int overwrite);
}
