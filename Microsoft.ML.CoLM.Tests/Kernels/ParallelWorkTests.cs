using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Loops on the thread pool.</summary>
[TestClass, DoNotParallelize]
public sealed class ParallelWorkTests
{
    [TestMethod]
    public void WhatTheWorkThrowsComesOutAsItIs()
    {
        Assert.ThrowsExactly<NotSupportedException>(() => ParallelWork.For(8, _ => throw new NotSupportedException()));
        Assert.ThrowsExactly<NotSupportedException>(() => ParallelWork.For(
            8, threads: 2, () => new MemoryStream(), (_, _) => throw new NotSupportedException()));
        Assert.ThrowsExactly<NotSupportedException>(() => ParallelWork.For<MemoryStream>(
            8, threads: 2, () => throw new NotSupportedException(), (_, _) => { }));
    }

    [TestMethod]
    public void EveryNumberComesOnce()
    {
        var seen = new int[50];
        ParallelWork.For(seen.Length, i => Interlocked.Increment(ref seen[i]));
        ParallelWork.For(seen.Length, 3, () => new MemoryStream(), (i, _) => Interlocked.Increment(ref seen[i]));
        Assert.IsTrue(Array.TrueForAll(seen, count => count == 2));
    }
}
