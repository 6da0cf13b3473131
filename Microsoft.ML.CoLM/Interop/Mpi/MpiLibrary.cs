using System.Runtime.InteropServices;
using System.Text;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>The C interface of the MPI library of this machine: what the communicator uses of it.</summary>
/// <remarks>
/// Handles are passed as wide as an address, which is what Open MPI's are; MPICH reads the lower half of it. The layout of a
/// status differs, too, so none is read.
/// </remarks>
internal sealed unsafe class MpiLibrary
{
    /// <summary>Names the library to load, where it is not one of the usual names.</summary>
    public const string PathVariable = "COLM_MPI";

    /// <summary>MPI's level of threads at which one thread makes all calls.</summary>
    public const int Funneled = 1;

    private const int TextLength = 8192; // of a version or an error, at most, in every implementation
    private const string StandardName = "libmpi_abi";

    private static readonly string[] OpenMpiNames = OperatingSystem.IsMacOS() ? ["libmpi.40.dylib"] : ["libmpi.so.40"];
    private static readonly string[] MpichNames = OperatingSystem.IsMacOS() ? ["libmpi.12.dylib"] : ["libmpich.so.12", "libmpi.so.12"];
    private static readonly string[] StandardNames = OperatingSystem.IsMacOS() ? ["libmpi_abi.0.dylib"] : ["libmpi_abi.so.0"];

    private readonly delegate* unmanaged<int, byte*, int*, int> _errorText;
    private readonly delegate* unmanaged<int> _cudaSupport; // null where the implementation has no such question

    private MpiLibrary(nint library, string path)
    {
        Version = VersionOf((delegate* unmanaged<byte*, int*, int>)Export("MPI_Get_library_version"));
        Handles = HandlesOf(library, Version, path);
        _errorText = (delegate* unmanaged<int, byte*, int*, int>)Export("MPI_Error_string");
        Initialized = (delegate* unmanaged<int*, int>)Export("MPI_Initialized");
        InitThread = (delegate* unmanaged<void*, void*, int, int*, int>)Export("MPI_Init_thread");
        Finish = (delegate* unmanaged<int>)Export("MPI_Finalize");
        SetErrorHandler = (delegate* unmanaged<nint, nint, int>)Export("MPI_Comm_set_errhandler");
        Rank = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_rank");
        Size = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_size");
        AllToAll = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int>)Export("MPI_Ialltoall");
        AllGather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int>)Export("MPI_Iallgather");
        Broadcast = (delegate* unmanaged<void*, int, nint, int, nint, nint*, int>)Export("MPI_Ibcast");
        Send = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Isend");
        Receive = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Export("MPI_Irecv");
        Probe = (delegate* unmanaged<int, int, nint, int*, nint, int>)Export("MPI_Iprobe");
        Test = (delegate* unmanaged<nint*, int*, nint, int>)Export("MPI_Test");
        _ = NativeLibrary.TryGetExport(library, "MPIX_Query_cuda_support", out var query);
        _cudaSupport = (delegate* unmanaged<int>)query;

        nint Export(string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address
            : throw new NotSupportedException($"{path} has no {name}: an MPI library of version 3 or later is needed.");
    }

    /// <summary>The implementation and its version, in its own words.</summary>
    public string Version { get; }

    public MpiHandles Handles { get; }

    /// <summary>Whether buffers may lie in a GPU's memory; to be asked once MPI has begun.</summary>
    public bool ReadsCudaMemory => _cudaSupport is not null && _cudaSupport() == 1;

    public readonly delegate* unmanaged<int*, int> Initialized;
    public readonly delegate* unmanaged<void*, void*, int, int*, int> InitThread;
    public readonly delegate* unmanaged<int> Finish;
    public readonly delegate* unmanaged<nint, nint, int> SetErrorHandler;
    public readonly delegate* unmanaged<nint, int*, int> Rank;
    public readonly delegate* unmanaged<nint, int*, int> Size;
    public readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> AllToAll;
    public readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> AllGather;
    public readonly delegate* unmanaged<void*, int, nint, int, nint, nint*, int> Broadcast;
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> Send;
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> Receive;
    public readonly delegate* unmanaged<int, int, nint, int*, nint, int> Probe;
    public readonly delegate* unmanaged<nint*, int*, nint, int> Test;

    /// <summary>Loads the library of the MPI that started this process, or the one that is installed.</summary>
    /// <exception cref="DllNotFoundException">There is none; the message names the package to install.</exception>
    /// <exception cref="NotSupportedException">It is an implementation whose constants are not known here.</exception>
    public static MpiLibrary Load()
    {
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path)
        {
            return NativeLibrary.TryLoad(path, out var named) ? new(named, path) : throw new DllNotFoundException(
                $"{PathVariable} is '{path}', which cannot be loaded: it must name an MPI library, such as libmpi.so.40.");
        }
        string[] names = MpiLauncher.IsMpich ? [.. MpichNames, .. StandardNames]
            : MpiLauncher.IsOpenMpi ? [.. OpenMpiNames, .. StandardNames]
            : [.. OpenMpiNames, .. MpichNames, .. StandardNames];
        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, out var library))
                return new(library, name);
        }
        throw new DllNotFoundException($"No MPI library was found (looked for {string.Join(", ", names)}). Install Open MPI " +
            "(on Debian and Ubuntu the package openmpi-bin, on Fedora openmpi, with Homebrew open-mpi) or MPICH, or let " +
            $"the environment variable {PathVariable} name the library. One process alone needs none, and no communicator.");
    }

    /// <summary>What an error code says; empty for success.</summary>
    public string ErrorText(int code)
    {
        if (code == 0)
            return "";
        var text = stackalloc byte[TextLength];
        var length = 0;
        return _errorText(code, text, &length) == 0 ? Encoding.UTF8.GetString(text, length) : $"error {code}";
    }

    private static MpiHandles HandlesOf(nint library, string version, string path)
    {
        if (Path.GetFileName(path).StartsWith(StandardName, StringComparison.Ordinal))
        {
            throw new NotSupportedException($"{path} has MPI 5's standard binary interface, which is not supported: install " +
                $"Open MPI 4 or 5 (libmpi.so.40) or MPICH (libmpi.so.12), and name its library in {PathVariable}.");
        }
        if (version.Contains("Open MPI", StringComparison.Ordinal))
        {
            OpenMpiSettings.SuitNonBlockingCalls();
            return MpiHandles.OfOpenMpi(library);
        }
        if (version.Contains("MPICH", StringComparison.Ordinal) || version.Contains("Intel(R) MPI", StringComparison.Ordinal) ||
            version.Contains("MVAPICH", StringComparison.Ordinal))
        {
            return MpiHandles.OfMpich();
        }
        throw new NotSupportedException(
            $"{path} is an MPI library that is not supported: Open MPI, MPICH, Intel MPI or MVAPICH is needed, found '{version}'.");
    }

    private static string VersionOf(delegate* unmanaged<byte*, int*, int> versionText)
    {
        var text = stackalloc byte[TextLength];
        var length = 0;
        _ = versionText(text, &length);
        return Encoding.UTF8.GetString(text, Math.Clamp(length, 0, TextLength)).Split('\n', '\0')[0].Replace('\t', ' ').Trim();
    }
}
