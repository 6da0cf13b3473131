using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Blocks in memory, then in files.</summary>
[TestClass]
public sealed class SpillBufferTests
{
    [TestMethod]
    [DataRow(4, 0)]
    [DataRow(2, 2)]
    [DataRow(0, 4)]
    public void BlocksKeepWhatIsWrittenWhereverTheyAre(int inMemory, int onDisk)
    {
        const int Length = 5000;
        using var buffer = new SpillBuffer(Length, inMemory * Length, onDisk * Length);
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
        using var buffer = new SpillBuffer(100, memoryBytes: 299, diskBytes: 199);
        Assert.AreEqual(2 + 1, buffer.BlockCount);
        using var none = new SpillBuffer(100, memoryBytes: 99, diskBytes: 99);
        Assert.AreEqual(0, none.BlockCount);
    }

    [TestMethod]
    public void BudgetsWithoutBoundsTakeNoMemoryBeforehand()
    {
        using var buffer = new SpillBuffer(100, long.MaxValue, long.MaxValue);
        Assert.IsGreaterThan(1 << 20, buffer.BlockCount);
        buffer.Bytes(5, 10, 3).Fill(7);
        CollectionAssert.AreEqual((byte[])[7, 7, 7], buffer.Bytes(5, 10, 3).ToArray());
    }

    [TestMethod]
    public void NothingBehindABlocksEndIsReached()
    {
        using var buffer = new SpillBuffer(100, 100, 100);
        Assert.AreEqual(0, buffer.Bytes(0, 100, 0).Length);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ = buffer.Bytes(0, 98, 3).Length);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => _ = buffer.Bytes(0, long.MaxValue, 3).Length);
    }

    [TestMethod]
    public void FilesAreGoneWithTheBuffer()
    {
        string[] Files() => Directory.GetFiles(Path.GetTempPath(), "colm-features-*");
        var before = Files();
        using (var buffer = new SpillBuffer(100, 0, 300))
        {
            buffer.Bytes(2, 0, 100).Clear();
            if (!OperatingSystem.IsWindows())
                CollectionAssert.AreEqual(before, Files());
        }
        CollectionAssert.AreEqual(before, Files());
    }
}
