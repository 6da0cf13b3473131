using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>Memory that goes with the last user.</summary>
[TestClass, DoNotParallelize]
public sealed class LifetimeTests
{
    [TestMethod]
    public void WithoutUsersItIsFreedAtOnceAndOnce()
    {
        var freed = 0;
        var lifetime = new Lifetime(this, () => freed++);
        lifetime.Enter().Dispose();
        Assert.AreEqual(0, freed);
        Assert.IsFalse(lifetime.IsDisposed);
        lifetime.Dispose();
        lifetime.Dispose();
        Assert.AreEqual(1, freed);
        Assert.IsTrue(lifetime.IsDisposed);
    }

    [TestMethod]
    public void TheLastUserFreesWhatWasDisposedMeanwhile()
    {
        var freed = 0;
        var lifetime = new Lifetime(this, () => freed++);
        var (first, second) = (lifetime.Enter(), lifetime.Enter());
        lifetime.Dispose();
        first.Dispose();
        Assert.AreEqual(0, freed);
        second.Dispose();
        Assert.AreEqual(1, freed);
    }

    [TestMethod]
    public void WhoComesTooLateIsToldWhatWasDisposed()
    {
        var lifetime = new Lifetime(this, () => { });
        using var user = lifetime.Enter();
        lifetime.Dispose();
        var error = Assert.ThrowsExactly<ObjectDisposedException>(() => lifetime.Enter().Dispose());
        Assert.Contains(nameof(LifetimeTests), error.ObjectName);
        Assert.ThrowsExactly<ObjectDisposedException>(lifetime.Check);
    }

    [TestMethod]
    public void ManyThreadsUseItAndNoneFindsItFreed()
    {
        for (var round = 0; round < 50; round++)
        {
            var freed = 0;
            var lifetime = new Lifetime(this, () => Interlocked.Increment(ref freed));
            using var start = new Barrier(5);
            Task[] tasks = [.. Enumerable.Range(0, 5).Select(thread => Task.Factory.StartNew(() =>
            {
                start.SignalAndWait();
                if (thread > 2)
                {
                    Thread.SpinWait(1000 * (round % 10));
                    lifetime.Dispose();
                    return;
                }
                try
                {
                    while (true)
                    {
                        using var user = lifetime.Enter();
                        Thread.SpinWait(20);
                        Assert.AreEqual(0, Volatile.Read(ref freed));
                    }
                }
                catch (ObjectDisposedException)
                {
                }
            }, TaskCreationOptions.LongRunning))];
            Task.WaitAll(tasks);
            Assert.AreEqual(1, freed);
        }
    }
}
