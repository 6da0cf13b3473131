using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass]
public sealed class ProductFileTests
{
    private const string Key = "a processor, vectors of 16";

    private static readonly MatrixProducts Found = new(MatrixLibrary.CoLM, MatrixLibrary.LibTorch);
    private static readonly MatrixProducts Others = new(MatrixLibrary.LibTorch, MatrixLibrary.Widened);

    [TestMethod]
    public void WhatWasFoundFirstIsKept()
    {
        using var folder = new TemporaryFolder();
        var inside = folder["new folder"];
        Assert.IsNull(new ProductFile(inside, Key).Read());
        Assert.AreEqual(Found, new ProductFile(inside, Key).Keep(() => Found));
        Assert.AreEqual(Found, new ProductFile(inside, Key).Read());
        Assert.AreEqual(Found, new ProductFile(inside, Key).Keep(() => Others));
        Assert.IsNull(new ProductFile(inside, "another processor").Read());
        Assert.AreEqual(Others, new ProductFile(inside, "another processor").Keep(() => Others));
        Assert.AreEqual(Found, ProductChoice.Make(new ProductFile(inside, Key)));
        Assert.HasCount(2, Directory.GetFiles(inside));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("a processor, vectors of 16")]
    [DataRow("a processor, vectors of 16\nfloat32=mkl,bfloat16=mkl\n")]
    [DataRow("another processor\nfloat32=colm,bfloat16=colm\n")]
    [DataRow(null)]
    public void ADamagedFileIsReplaced(string? content)
    {
        using var folder = new TemporaryFolder();
        new ProductFile(folder.Path, Key).Keep(() => Found);
        var path = Directory.GetFiles(folder.Path).Single();
        if (content is null)
        {
            using var file = File.OpenWrite(path);
            file.SetLength(10L << 30); // takes no room on the disk
        }
        else
        {
            File.WriteAllText(path, content);
        }
        Assert.IsNull(new ProductFile(folder.Path, Key).Read());
        Assert.AreEqual(Others, new ProductFile(folder.Path, Key).Keep(() => Others));
        Assert.AreEqual(Others, new ProductFile(folder.Path, Key).Read());
        Assert.AreEqual(path, Directory.GetFiles(folder.Path).Single());
    }

    [TestMethod]
    public void WhereNothingCanBeKeptNothingIsMeasured()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["file"], "");
        Assert.IsNull(new ProductFile(folder["file"], Key).Keep(() => throw new InvalidOperationException("It was measured.")));
        Assert.AreEqual(ProductChoice.Suggested, ProductChoice.Make(new ProductFile(folder["file"], Key)));
        Assert.AreEqual(ProductChoice.Suggested, ProductChoice.Make(file: null));
    }

    [TestMethod]
    public void ManyAtOnceAllTakeWhatOneOfThemFound()
    {
        for (var round = 0; round < 20; round++)
        {
            using var folder = new TemporaryFolder();
            using var barrier = new Barrier(8);
            var found = new MatrixProducts?[barrier.ParticipantCount];
            var measured = 0;
            Thread[] threads = [.. Enumerable.Range(0, found.Length).Select(i => new Thread(() =>
            {
                barrier.SignalAndWait();
                found[i] = new ProductFile(folder.Path, Key).Keep(() => Interlocked.Increment(ref measured) % 2 == 1 ? Found : Others);
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            Assert.AreEqual(1, measured);
            var kept = new ProductFile(folder.Path, Key).Read();
            Assert.IsNotNull(kept);
            CollectionAssert.AreEqual(Enumerable.Repeat(kept, found.Length).ToArray(), found);
            Assert.HasCount(1, Directory.GetFiles(folder.Path));
        }
    }
}
