using System.Globalization;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>What the program that started this process says of the job, in environment variables.</summary>
/// <remarks>
/// A process that loads another MPI than the one that started it is a job of its own: each of them would be rank 0 of 1.
/// </remarks>
internal static class MpiLauncher
{
    private static readonly string[] OpenMpiSizes = ["OMPI_COMM_WORLD_SIZE"];
    private static readonly string[] MpichSizes = ["PMI_SIZE", "MPI_LOCALNRANKS"];

    /// <summary>Whether Open MPI's launcher started this process.</summary>
    public static bool IsOpenMpi => SizeIn(OpenMpiSizes) is not null;

    /// <summary>Whether MPICH's launcher, or one like it, started this process.</summary>
    public static bool IsMpich => !IsOpenMpi && SizeIn(MpichSizes) is not null;

    /// <summary>The number of processes of the job; null where no launcher of MPI says one.</summary>
    public static int? Size => SizeIn(OpenMpiSizes) ?? SizeIn(MpichSizes[..1]);

    private static int? SizeIn(string[] variables)
    {
        foreach (var variable in variables)
        {
            if (int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var size))
                return size;
        }
        return null;
    }
}
