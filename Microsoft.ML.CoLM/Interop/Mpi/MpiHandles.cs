using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>The constants of an MPI library, which each implementation chooses for itself (before MPI 5).</summary>
internal readonly record struct MpiHandles
{
    public required nint World { get; init; }

    public required nint Byte { get; init; }

    /// <summary>The error handler that lets functions return their errors, instead of ending the process.</summary>
    public required nint ErrorsReturn { get; init; }

    /// <summary>In place of a status that nobody reads.</summary>
    public required nint StatusIgnore { get; init; }

    public required int AnySource { get; init; }

    /// <summary>Open MPI's (ompi/include/mpi.h): handles are the addresses of exported objects.</summary>
    public static MpiHandles OfOpenMpi(nint library) => new()
    {
        World = NativeLibrary.GetExport(library, "ompi_mpi_comm_world"),
        Byte = NativeLibrary.GetExport(library, "ompi_mpi_byte"),
        ErrorsReturn = NativeLibrary.GetExport(library, "ompi_mpi_errors_return"),
        StatusIgnore = 0,
        AnySource = -1,
    };

    /// <summary>
    /// Those of MPICH and what keeps its binary interface, such as Intel MPI and MVAPICH (src/include/mpi.h): handles are
    /// integers.
    /// </summary>
    public static MpiHandles OfMpich() => new()
    {
        World = 0x44000000,
        Byte = 0x4c00010d,
        ErrorsReturn = 0x54000001,
        StatusIgnore = 1,
        AnySource = -2,
    };
}
