using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Blocks in memory, then in files.</summary>
[TestClass, DoNotParallelize]
public sealed class SpillBufferTests
{
    private static readonly string Folder = Path.GetTempPath();

    [TestMethod]
    [DataRow(4, 0)]
    [DataRow(2, 2)]
    [DataRow(0, 4)]
    public void BlocksKeepWhatIsWrittenWhereverTheyAre(int inMemory, int onDisk)
    {
        const int Length = 5000;
        using var buffer = new SpillBuffer(Length, inMemory * Length, onDisk * Length, Folder);
        Assert.AreEqual(4, buffer.BlockCount);
        for (var block = 3; block >= 0; block--)
        {
            for (var i = 0; i < Length; i++)
                buffer.Bytes(block, i, 1)[0] = (byte)(i * (block + 3));
        }
        for (var block = 0; block < 4; block++)
        {
            var bytes = buffer.Bytes(block, 0, Length);
            for (var i = 0; i < Length; i++)
                Assert.AreEqual((byte)(i * (block + 3)), bytes[i]);
        }
    }

    [TestMethod]
    public void PartsOfBlocksThatTheBudgetsLeaveAreNotUsed()
    {
        using var buffer = new SpillBuffer(100, memoryBytes: 299, diskBytes: 199, Folder);
        Assert.AreEqual(2 + 1, buffer.BlockCount);
        using var none = new SpillBuffer(100, memoryBytes: 99, diskBytes: 99, Folder);
        Assert.AreEqual(0, none.BlockCount);
        using var noDisk = new SpillBuffer(100, memoryBytes: 299, diskBytes: 199, folder: null);
        Assert.AreEqual(2, noDisk.BlockCount);
    }

    [TestMethod]
    public void BudgetsWithoutBoundsTakeNoMemoryBeforehand()
    {
        using var buffer = new SpillBuffer(100, long.MaxValue, long.MaxValue, Folder);
        Assert.IsGreaterThan(1 << 20, buffer.BlockCount);
        buffer.Bytes(5, 10, 3).Fill(7);
        CollectionAssert.AreEqual((byte[])[7, 7, 7], buffer.Bytes(5, 10, 3).ToArray());
    }

    [TestMethod]
    public void NothingBehindABlocksEndIsReached()
    {
        using var buffer = new SpillBuffer(100, 100, 100, Folder);
        Assert.AreEqual(0, buffer.Bytes(0, 100, 0).Length);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ = buffer.Bytes(0, 98, 3).Length);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ = buffer.Bytes(0, long.MaxValue, 3).Length);
    }

    [TestMethod]
    public void FilesAreGoneWithTheBuffer()
    {
        using var folder = new TemporaryFolder();
        string[] Files() => Directory.GetFiles(folder["new"]);
        using (var buffer = new SpillBuffer(100, 0, 300, folder["new"]))
        {
            buffer.Bytes(2, 0, 100).Clear();
            if (!OperatingSystem.IsWindows())
                Assert.IsEmpty(Files());
        }
        Assert.IsEmpty(Files());
    }
}
