using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Until it is disposed, what this thread asks libtorch for on the CPU is computed on this thread alone.</summary>
internal readonly ref struct OwnThread : IDisposable
{
    private readonly int _mkl;
    private readonly int _openMp;

    public OwnThread()
    {
        _mkl = MklThreads.SetForThisThread(1);
        _openMp = OpenMpThreads.SetForThisThread(1);
    }

    /// <summary>Whether this libtorch lets a thread choose.</summary>
    public static bool IsPossible => MklThreads.AreSettable && OpenMpThreads.AreSettable;

    public void Dispose()
    {
        OpenMpThreads.SetForThisThread(_openMp);
        _ = MklThreads.SetForThisThread(_mkl);
    }
}
