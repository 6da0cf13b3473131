using Microsoft.ML.CoLM.Interop;
using TorchSharp;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Until it is disposed, what this thread asks libtorch for on the CPU is computed on this thread alone.</summary>
internal readonly ref struct OwnThread : IDisposable
{
    private readonly int _mkl;
    private readonly int _openMp;

    public OwnThread()
    {
        // A thread's first work of libtorch's own makes the user's number of threads the thread's. If that came after this,
        // this would not hold, and what is put back in the end would be another number, for as long as the thread lives.
        _ = torch.get_num_threads();
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
