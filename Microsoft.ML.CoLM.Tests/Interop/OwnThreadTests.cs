using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tests.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>Work of libtorch's that stays on the thread that asks for it.</summary>
[TestClass, DoNotParallelize]
public sealed class OwnThreadTests
{
    private const string PartVariable = "COLM_TEST_OWN_THREAD";
    private const int Threads = 3;

    public TestContext TestContext { get; set; } = null!;

    // libtorch makes itself ready for a thread when the thread first asks for something: in a process of its own, nothing
    // was asked for before.
    [TestMethod]
    public void AFreshThreadKeepsTheUsersNumberOfThreads()
    {
        if (Environment.GetEnvironmentVariable(PartVariable) is null)
        {
            FreshProcess.RunTest(TestContext, new() { [PartVariable] = "1" });
            return;
        }
        CoLM.Interop.TorchLibrary.EnsureLoaded();
        Assert.IsTrue(OwnThread.IsPossible);
        set_num_threads(Threads);
        var (within, after) = (0, 0);
        var thread = new Thread(() =>
        {
            using (new OwnThread())
            {
                using var product = ones(64, 64).mm(ones(64, 64));
                within = get_num_threads();
            }
            after = get_num_threads();
        });
        thread.Start();
        thread.Join();
        Assert.AreEqual(1, within);
        Assert.AreEqual(Threads, after);
        Assert.AreEqual(Threads, get_num_threads());
    }
}
