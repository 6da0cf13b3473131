using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Settings of Open MPI 4 that suit a rank which tests its exchanges, unless the user chose others.</summary>
/// <remarks>
/// They are read from the environment when MPI begins. Without them, a rank that tests looks at its TCP connections every 10 ms
/// only, and long messages that go both ways take turns (samples/Benchmarks, exchange behind link).
/// </remarks>
internal static partial class OpenMpiSettings
{
    // Looks at connections once in so many tests.
    private const string TickRate = "OMPI_MCA_mpi_event_tick_rate";

    // Sends long messages as messages, instead of letting the receiver ask for their parts.
    private const string TcpFlags = "OMPI_MCA_btl_tcp_flags";

    public static void SuitNonBlockingCalls()
    {
        if (OperatingSystem.IsWindows())
            return;
        // .NET's own environment is a copy, of which native code sees nothing.
        _ = SetVariable(TickRate, "20", replace: 0);
        _ = SetVariable(TcpFlags, "1", replace: 0);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int replace);
}
