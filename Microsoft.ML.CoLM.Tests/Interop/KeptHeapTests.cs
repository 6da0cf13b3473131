using System.Globalization;
using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Interop;

[TestClass, DoNotParallelize]
public sealed class KeptHeapTests
{
    private const int TensorCount = 4;
    private const int TensorLength = 10_000_000;
    private const int Rounds = 8;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void WhatATensorLeftIsTakenByTheNext()
    {
        if (!KeptHeap.IsPossible)
        {
            Assert.Inconclusive("This test needs Linux, whose page faults of a process it reads in /proc/self, and an environment " +
                "that does not set up the C library's heap itself, by MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_MAX_ or GLIBC_TUNABLES.");
        }
        // What is kept lies on the process's first heap.
        if (!FreshProcess.IsThis)
        {
            FreshProcess.RunTest(TestContext);
            return;
        }
        var page = Environment.SystemPageSize;
        var pagesOfRound = (long)TensorCount * TensorLength * sizeof(float) / page;
        UseTensors(); // libraries are loaded
        var before = ProcessMemory.Resident;
        using (new KeptHeap())
        {
            using (new KeptHeap())
                UseTensors();
            var faults = PageFaults();
            for (var round = 0; round < Rounds; round++)
                UseTensors();
            // Without it all rounds take new pages; with it, small pieces may come to lie between the large ones once.
            Assert.IsLessThan(Rounds * pagesOfRound / 2, PageFaults() - faults, "Memory went back to the system between the rounds.");
        }
        Assert.IsLessThan(pagesOfRound * page / 2, ProcessMemory.Resident - before, "Memory is kept for nobody.");
    }

    private static void UseTensors()
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < TensorCount; i++)
            _ = ones(TensorLength);
    }

    // See proc(5): behind the name, which is in parentheses and may have blanks.
    private static long PageFaults()
    {
        var status = File.ReadAllText("/proc/self/stat");
        return long.Parse(status[(status.LastIndexOf(')') + 2)..].Split(' ')[7], CultureInfo.InvariantCulture);
    }
}
