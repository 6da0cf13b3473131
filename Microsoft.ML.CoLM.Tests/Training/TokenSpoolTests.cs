using System.Runtime.Versioning;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class TokenSpoolTests
{
    [TestMethod]
    public void DocumentsStandOneAfterTheOther()
    {
        using var spool = TokenSpool.Write([[1, 5, 6], [1, 7], [1, int.MaxValue, 0, 9]]);
        Assert.AreEqual(9, spool.TokenCount);
        var all = new long[9];
        spool.Read(0, all);
        CollectionAssert.AreEqual(new long[] { 1, 5, 6, 1, 7, 1, int.MaxValue, 0, 9 }, all);
        var some = new long[3];
        spool.Read(4, some);
        CollectionAssert.AreEqual(new long[] { 7, 1, int.MaxValue }, some);
        spool.Read(9, []);
    }

    [TestMethod]
    public void DocumentsAreReadOneAtATime()
    {
        const int Documents = 2000;
        var alive = new List<WeakReference>();
        IEnumerable<IReadOnlyList<int>> Stream()
        {
            for (var i = 0; i < Documents; i++)
            {
                var document = new int[1000];
                Array.Fill(document, i);
                alive.Add(new WeakReference(document));
                yield return document;
                if (i % 500 == 499)
                    GC.Collect();
            }
        }
        using var spool = TokenSpool.Write(Stream());
        Assert.AreEqual(Documents * 1000L, spool.TokenCount);
        Assert.IsLessThan(600, alive.Count(reference => reference.IsAlive));
        var last = new long[1];
        spool.Read(spool.TokenCount - 1, last);
        Assert.AreEqual(Documents - 1, last[0]);
    }

    [TestMethod]
    public void NoDocumentsAreRefused()
    {
        var before = Files();
        Assert.Contains("no text", Assert.Throws<ArgumentException>(() => TokenSpool.Write([])).Message);
        CollectionAssert.AreEqual(before, Files());
    }

    [TestMethod]
    public void TheFileIsGoneAfterwards()
    {
        var before = Files();
        TokenSpool.Write([[1, 2, 3]]).Dispose();
        CollectionAssert.AreEqual(before, Files());
    }

    [TestMethod]
    public void TheFileHasNoNameThatAKilledProcessCouldLeaveAndNobodyElseMayReadIt()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Inconclusive("This test needs Linux: it looks for the file in the list of open files, /proc/self/fd.");
            return;
        }
        var before = Files();
        [UnsupportedOSPlatform("windows")]
        IEnumerable<IReadOnlyList<int>> Documents()
        {
            yield return [1, 2, 3];
            CollectionAssert.AreEqual(before, Files());
            var open = Directory.GetFiles("/proc/self/fd").Single(file =>
                new FileInfo(file).LinkTarget?.Contains("colm-tokens-", StringComparison.Ordinal) == true);
            Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(open));
        }
        using var spool = TokenSpool.Write(Documents());
        var tokens = new long[3];
        spool.Read(0, tokens);
        CollectionAssert.AreEqual(new long[] { 1, 2, 3 }, tokens);
    }

    [TestMethod]
    public void TheFileIsGoneWhenTheDataFails()
    {
        static IEnumerable<IReadOnlyList<int>> Failing()
        {
            yield return [1, 2, 3];
            throw new InvalidOperationException("the data ended early");
        }
        var before = Files();
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => TokenSpool.Write(Failing()));
        Assert.AreEqual("the data ended early", error.Message);
        CollectionAssert.AreEqual(before, Files());
    }

    private static string[] Files() =>
        [.. Directory.GetFiles(Path.GetTempPath(), "colm-tokens-*").Order(StringComparer.Ordinal)];
}
