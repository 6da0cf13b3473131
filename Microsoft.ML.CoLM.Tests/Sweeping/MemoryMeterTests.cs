using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Memory outside the managed heap, as tensors have it.</summary>
[TestClass, DoNotParallelize]
public sealed unsafe class MemoryMeterTests
{
    private const int Size = 64 << 20;

    private const int AllPieces = 4 * Size;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void MemoryThatIsFreedAgainIsSeen()
    {
        using var meter = MemoryMeter.Start();
        TakeAndFree(Size);
        Assert.IsGreaterThan(Size * 9L / 10, meter.PeakAdded);
        Assert.IsLessThan(Size * 3L, meter.PeakAdded);
    }

    [TestMethod]
    public void EarlierMemoryDoesNotCount()
    {
        TakeAndFree(4 * Size);
        using var meter = MemoryMeter.Start();
        TakeAndFree(Size / 2);
        Assert.IsLessThan(2L * Size, meter.PeakAdded);
    }

    [TestMethod]
    public void SmallPiecesThatWereFreedBeforeAreSeenAgain()
    {
        // The runtime gives back what earlier tests took, which would hide what these take.
        if (!FreshProcess.IsThis)
        {
            FreshProcess.RunTest(TestContext);
            return;
        }
        TakePieces();
        using var meter = MemoryMeter.Start();
        TakePieces();
        Assert.IsGreaterThan(AllPieces * 8L / 10, meter.PeakAdded);
    }

    [TestMethod]
    public void AMeterInAnotherLosesNothing()
    {
        using var outer = MemoryMeter.Start();
        TakeAndFree(2 * Size);
        using (var inner = MemoryMeter.Start())
        {
            TakeAndFree(Size / 2);
            Assert.IsLessThan(2L * Size, inner.PeakAdded);
        }
        Assert.IsGreaterThan(2L * Size * 9 / 10, outer.PeakAdded);
    }

    [TestMethod]
    public void WhatComesAfterTheEndDoesNotCount()
    {
        var meter = MemoryMeter.Start();
        meter.Dispose();
        var found = meter.PeakAdded;
        TakeAndFree(Size);
        Assert.AreEqual(found, meter.PeakAdded);
        Assert.IsGreaterThanOrEqualTo(0, found);
        meter.Dispose();
    }

    private static void TakeAndFree(int size)
    {
        var memory = (byte*)NativeMemory.Alloc((nuint)size);
        new Span<byte>(memory, size).Fill(1);
        NativeMemory.Free(memory);
    }

    // Each below what malloc maps apart: freed, they stay the process's.
    private static void TakePieces()
    {
        const int Piece = 64 << 10;
        var pieces = new nint[AllPieces / Piece];
        for (var i = 0; i < pieces.Length; i++)
        {
            pieces[i] = (nint)NativeMemory.Alloc(Piece);
            new Span<byte>((void*)pieces[i], Piece).Fill(1);
        }
        foreach (var piece in pieces)
            NativeMemory.Free((void*)piece);
    }
}
