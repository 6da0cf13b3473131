using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class TokenWindowsTests
{
    [TestMethod]
    [DataRow(101, 10)]
    [DataRow(107, 10)]
    [DataRow(110, 10)]
    [DataRow(3, 1)]
    [DataRow(50, 49)]
    public void AnEpochHasEveryTokenOnceUpToTheSlack(int tokens, int length)
    {
        using var spool = Spool(tokens);
        var windows = new TokenWindows(spool, length, seed: 1);
        var slack = (tokens - 1) % length;
        Assert.AreEqual(length, windows.Length);
        Assert.AreEqual((tokens - 1) / length, windows.Count);
        for (var epoch = 0; epoch < 4; epoch++)
        {
            var targets = Targets(windows, epoch).SelectMany(window => window).ToArray();
            Assert.HasCount(tokens - 1 - slack, targets);
            CollectionAssert.AllItemsAreUnique(targets);
            Assert.AreEqual(targets.Length - 1, targets.Max() - targets.Min());
        }
    }

    [TestMethod]
    public void TargetsAreTheNextTokens()
    {
        using var spool = Spool(101);
        var windows = new TokenWindows(spool, 10, seed: 1);
        var (inputs, targets) = windows.Batch(0, 4, CPU);
        using (inputs)
        using (targets)
        {
            CollectionAssert.AreEqual(new long[] { 4, 10 }, inputs.shape);
            CollectionAssert.AreEqual(new long[] { 4, 10 }, targets.shape);
            Assert.AreEqual(ScalarType.Int64, inputs.dtype);
            Assert.IsTrue(targets.is_contiguous() && inputs.is_contiguous());
            CollectionAssert.AreEqual(
                inputs.data<long>().Select(token => token + 1).ToArray(), targets.data<long>().ToArray());
        }
    }

    [TestMethod]
    public void EveryEpochHasAnotherOrderAndOtherCuts()
    {
        using var spool = Spool(1009);
        var windows = new TokenWindows(spool, 10, seed: 1);
        var epochs = Enumerable.Range(0, 6).Select(epoch => Targets(windows, epoch)).ToArray();
        for (var epoch = 1; epoch < epochs.Length; epoch++)
        {
            Assert.IsFalse(epochs[epoch - 1].Select(window => window[0])
                .SequenceEqual(epochs[epoch].Select(window => window[0])));
        }
        Assert.IsGreaterThan(1, epochs.Select(epoch => epoch.Min(window => window[0])).Distinct().Count());
    }

    [TestMethod]
    public void TheSeedAloneDecidesTheOrder()
    {
        using var spool = Spool(500);
        long[] Order(int seed) => [.. Enumerable.Range(0, 3).SelectMany(epoch =>
            Targets(new TokenWindows(spool, 10, seed), epoch)).Select(window => window[0])];
        CollectionAssert.AreEqual(Order(3), Order(3));
        var orders = new[] { 0, 1, 2, 3, -1, int.MaxValue, int.MinValue }.Select(seed => string.Join(' ', Order(seed)));
        CollectionAssert.AllItemsAreUnique(orders.ToArray());
    }

    [TestMethod]
    public void BatchesMayReachIntoTheNextEpochAndComeInAnyOrder()
    {
        using var spool = Spool(61);
        var windows = new TokenWindows(spool, 10, seed: 5);
        var inOrder = Enumerable.Range(0, 4).SelectMany(epoch => Targets(windows, epoch)).ToArray();
        Assert.HasCount(24, inOrder);
        var batches = new TokenWindows(spool, 10, seed: 5);
        foreach (var (first, count) in new[] { (4, 5), (0, 24), (17, 3), (2, 1) })
        {
            var found = Read(batches, first, count);
            for (var i = 0; i < count; i++)
                CollectionAssert.AreEqual(inOrder[first + i], found[i]);
        }
    }

    [TestMethod]
    public void ACorpusThatIsShorterThanAWindowIsOneWindow()
    {
        using var spool = Spool(7);
        var windows = new TokenWindows(spool, 256, seed: 1);
        Assert.AreEqual((6, 1), (windows.Length, windows.Count));
        foreach (var window in Read(windows, 0, 3))
            CollectionAssert.AreEqual(new long[] { 1, 2, 3, 4, 5, 6 }, window);
    }

    [TestMethod]
    public void BatchesLeaveNoTensorsBehind()
    {
        using var spool = Spool(61);
        var windows = new TokenWindows(spool, 10, seed: 5);
        var before = LiveTensors.CountSettled();
        Targets(windows, 0);
        Assert.AreEqual(before, LiveTensors.Count);
    }

    private static TokenSpool Spool(int tokens) => TokenSpool.Write([[.. Enumerable.Range(0, tokens)]]);

    private static long[][] Targets(TokenWindows windows, int epoch) =>
        Read(windows, (long)epoch * windows.Count, windows.Count);

    private static long[][] Read(TokenWindows windows, long first, int count)
    {
        var (inputs, targets) = windows.Batch(first, count, CPU);
        inputs.Dispose();
        using (targets)
            return [.. targets.data<long>().ToArray().Chunk(windows.Length)];
    }
}
