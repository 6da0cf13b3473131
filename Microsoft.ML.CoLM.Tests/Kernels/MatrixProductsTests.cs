using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tests.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class MatrixProductsTests
{
    private static readonly MatrixProducts Libtorchs = new(MatrixLibrary.LibTorch, MatrixLibrary.LibTorch);
    private static readonly MatrixProducts Own = new(MatrixLibrary.CoLM, MatrixLibrary.CoLM);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(MatrixLibrary.LibTorch, MatrixLibrary.Widened, "float32=libtorch,bfloat16=widened")]
    [DataRow(MatrixLibrary.CoLM, MatrixLibrary.LibTorch, "float32=colm,bfloat16=libtorch")]
    [DataRow(MatrixLibrary.CoLM, MatrixLibrary.CoLM, "float32=colm,bfloat16=colm")]
    public void AChoiceIsReadAsItIsWritten(MatrixLibrary wide, MatrixLibrary narrow, string text)
    {
        var products = new MatrixProducts(wide, narrow);
        Assert.AreEqual(text, products.ToString());
        Assert.AreEqual(products, MatrixProducts.TryParse(text));
    }

    [TestMethod]
    public void OneNameIsOfEveryType()
    {
        Assert.AreEqual(Libtorchs, MatrixProducts.TryParse("libtorch"));
        Assert.AreEqual(Own, MatrixProducts.TryParse("colm"));
        Assert.AreEqual(new(MatrixLibrary.LibTorch, MatrixLibrary.Widened), MatrixProducts.TryParse("widened"));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("mkl")]
    [DataRow("CoLM")]
    [DataRow("float32=colm")]
    [DataRow("bfloat16=colm,float32=colm")]
    [DataRow("float32=widened,bfloat16=colm")]
    [DataRow("float32=colm,bfloat16=colm,float16=colm")]
    [DataRow("float32=,bfloat16=")]
    public void WhatIsNoChoiceIsNotRead(string text) => Assert.IsNull(MatrixProducts.TryParse(text));

    [TestMethod]
    public void ALibraryThatDoesNotMultiplyATypeIsRefused()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => new MatrixProducts(MatrixLibrary.Widened, MatrixLibrary.LibTorch));
        Assert.Contains("float32 is multiplied by LibTorch or CoLM, found Widened", error.Message);
        error = Assert.ThrowsExactly<ArgumentException>(() => new MatrixProducts(MatrixLibrary.CoLM, (MatrixLibrary)7));
        Assert.Contains("found 7", error.Message);
        Assert.ThrowsExactly<ArgumentNullException>(() => MatrixProducts.Current = null!);
    }

    [TestMethod]
    [DataRow(new[] { 1.0, 1.1, 0.9 }, 0)]
    [DataRow(new[] { 1.0, 0.5, 0.45 }, 1)]
    [DataRow(new[] { 1.0, 0.5, 0.4 }, 2)]
    [DataRow(new[] { 1.0, 2.0, 0.5 }, 2)]
    [DataRow(new[] { 1.0 }, 0)]
    public void WhatIsSuggestedGivesWayToWhatIsClearlyFaster(double[] times, int expected) =>
        Assert.AreEqual(expected, ProductChoice.Fastest(times));

    [TestMethod]
    public void CandidatesAreTimedAndTheChoiceIsOneOfThem()
    {
        var times = ProductRace.Run(ScalarType.BFloat16, [Libtorchs, Own]);
        Assert.HasCount(2, times);
        foreach (var time in times)
            Assert.IsTrue(time > 0 && double.IsFinite(time), $"{time}");
        Assert.IsNotNull(MatrixProducts.TryParse(ProductChoice.Measure().ToString()));
    }

    [TestMethod]
    public void AScopeIsOfItsThreadAndWhatThatStarts()
    {
        var before = MatrixProducts.Current;
        using (MatrixProducts.Use(Own))
        {
            using (MatrixProducts.Use(Libtorchs))
            {
                var found = new MatrixProducts[4];
                ParallelWork.For(found.Length, i => found[i] = MatrixProducts.Current);
                CollectionAssert.AreEqual(Enumerable.Repeat(Libtorchs, found.Length).ToArray(), found);
            }
            Assert.AreEqual(Own, MatrixProducts.Current);
            MatrixProducts? elsewhere = null;
            using (ExecutionContext.SuppressFlow())
            {
                var thread = new Thread(() => elsewhere = MatrixProducts.Current);
                thread.Start();
                thread.Join();
            }
            Assert.AreEqual(before, elsewhere);
        }
        Assert.AreEqual(before, MatrixProducts.Current);
    }

    [TestMethod]
    [DataRow("float32=libtorch,bfloat16=widened")]
    [DataRow("colm")]
    public void TheEnvironmentDecides(string text)
    {
        if (!FreshProcess.IsThis)
        {
            FreshProcess.RunTest(TestContext, new() { [MatrixProducts.Variable] = text });
            return;
        }
        Assert.AreEqual(MatrixProducts.TryParse(text), MatrixProducts.Current);
        MatrixProducts.Current = Libtorchs;
        Assert.AreEqual(Libtorchs, MatrixProducts.Current);
    }

    [TestMethod]
    public void AnEnvironmentThatNamesNoLibraryIsRefusedByName()
    {
        if (!FreshProcess.IsThis)
        {
            FreshProcess.RunTest(TestContext, new() { [MatrixProducts.Variable] = "fast" });
            return;
        }
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => MatrixProducts.Current);
        Assert.Contains("COLM_GEMM", error.Message);
        Assert.Contains("found 'fast'", error.Message);
    }
}
