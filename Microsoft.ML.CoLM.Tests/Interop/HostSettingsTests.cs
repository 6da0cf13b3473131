using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.Runtime;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Interop;

[TestClass, DoNotParallelize]
public sealed class HostSettingsTests
{
    [TestMethod]
    public void WithoutAGpuAskedForTheDeviceIsTheCpu()
    {
        foreach (var fallback in (bool[])[true, false])
        {
            var mlContext = new MLContext { FallbackToCpu = fallback };
            Assert.AreEqual(DeviceType.CPU, HostSettings.DeviceOf(mlContext).type);
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    [DataRow(-1)]
    public void AGpuThatIsNotThereFallsBackToTheCpuWhereThatIsAllowed(int id)
    {
        SkipWithCuda();
        var mlContext = new MLContext { GpuDeviceId = id, FallbackToCpu = true };
        Assert.AreEqual(DeviceType.CPU, HostSettings.DeviceOf(mlContext).type);
        using var model = TextModels.Random(4);
        using var fitted = mlContext.Fit(Expansion.Grow(model, 1, 4));
        Assert.IsTrue(fitted.Model.parameters().All(parameter => parameter.device_type == DeviceType.CPU));
    }

    [TestMethod]
    public void FallingBackToTheCpuIsAWarningForEachModel()
    {
        SkipWithCuda();
        var mlContext = new MLContext { GpuDeviceId = 2, FallbackToCpu = true };
        var warnings = new ConcurrentQueue<string>();
        mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                warnings.Enqueue(message.RawMessage);
        };
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        model.Save(folder.Path);
        void IsWarnedOf(Func<ElasticScoringTransformer> fit)
        {
            warnings.Clear();
            using var fitted = fit();
            foreach (var part in (string[])["GpuDeviceId is 2", "0 CUDA devices", "the CPU is used", "FallbackToCpu"])
                Assert.Contains(part, Assert.ContainsSingle(warnings));
        }
        IsWarnedOf(() => mlContext.Transforms.ElasticScoring(folder.Path).Fit(mlContext.Rows("a")));
        IsWarnedOf(() => mlContext.Fit(Expansion.Grow(model, 1, 4)));
        IsWarnedOf(() => mlContext.Fit(Expansion.FromNothing(1, 4)));
        using var stream = new MemoryStream();
        using (var scorer = mlContext.Scorer(model))
            mlContext.Model.Save(scorer, null, stream);
        IsWarnedOf(() => (ElasticScoringTransformer)mlContext.Model.Load(stream, out _));

        warnings.Clear();
        mlContext.GpuDeviceId = null;
        mlContext.Transforms.ElasticScoring(folder.Path).Fit(mlContext.Rows("a")).Dispose();
        Assert.IsEmpty(warnings);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-1)]
    public void AGpuThatIsNotThereIsNamedWhereFallingBackIsNotAllowed(int id)
    {
        SkipWithCuda();
        var mlContext = new MLContext { GpuDeviceId = id, FallbackToCpu = false };
        void IsRefused(Action action)
        {
            var error = Assert.ThrowsExactly<InvalidOperationException>(action);
            Assert.Contains($"GpuDeviceId is {id}", error.Message);
            Assert.Contains("FallbackToCpu", error.Message);
        }
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        model.Save(folder.Path);
        IsRefused(() => HostSettings.DeviceOf(mlContext));
        IsRefused(() => mlContext.Transforms.ElasticScoring(folder.Path).Fit(mlContext.Rows("a")));
        IsRefused(() => mlContext.Fit(Expansion.Grow(model, 1, 4)));
        IsRefused(() => mlContext.Fit(Expansion.FromNothing(1, 4)));
    }

    [TestMethod]
    public void AZipIsLoadedOntoTheDeviceOfTheContext()
    {
        SkipWithCuda();
        using var model = TextModels.Random(4);
        var mlContext = new MLContext();
        using var transformer = mlContext.Scorer(model);
        using var stream = new MemoryStream();
        mlContext.Model.Save(transformer, null, stream);
        var strict = new MLContext { GpuDeviceId = 0, FallbackToCpu = false };
        var error = Assert.Throws<Exception>(() => strict.Model.Load(stream, out _)).GetBaseException();
        Assert.Contains("GpuDeviceId is 0", error.Message);
        var lenient = new MLContext { GpuDeviceId = 0, FallbackToCpu = true };
        using var loaded = (ElasticScoringTransformer)lenient.Model.Load(stream, out _);
        Assert.IsTrue(loaded.Model.parameters().All(parameter => parameter.device_type == DeviceType.CPU));
    }

    [TestMethod]
    public void ComponentsReadTheSettingsOfTheContextThatTheyWereMadeWith()
    {
        var host = ((IHostEnvironment)new MLContext(seed: 42)).Register("component").Register("part");
        Assert.AreEqual(42, HostSettings.SeedOf(host));
        Assert.IsNull(HostSettings.SeedOf(((IHostEnvironment)new MLContext()).Register("component")));
        Assert.IsFalse(HostSettings.IsCancelled(host));
    }

    private static void SkipWithCuda()
    {
        if (torch.cuda.is_available())
            Assert.Inconclusive("This test needs a machine without a GPU, since it asks for one that is not there; torch found one here.");
    }
}
