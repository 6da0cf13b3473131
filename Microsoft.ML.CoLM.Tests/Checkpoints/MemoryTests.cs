using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class MemoryTests
{
    private const double AllowedShare = 0.3;

    [TestMethod]
    public void SavingAndLoading400MegabytesNeedsLittleMemoryBesideTheWeights()
    {
        if (!ProcessMemory.TryForgetPeak())
            Assert.Inconclusive("This test needs Linux: it reads the peak of the resident memory in /proc/self, and sets it back there.");
        using var folder = new TemporaryFolder();
        var config = TestModels.Config(8, 8) with
        {
            VocabularySize = 6000,
            HiddenSize = 1024,
            HeadDimension = 128,
            IntermediateSize = 2048,
            LayerCount = 3,
            KeyValueHeadCount = 4,
            KvSharing = true,
        };
        using var model = TestModels.Random(config);
        var weights = model.parameters().Sum(parameter => parameter.numel() * parameter.ElementSize);
        Assert.IsGreaterThan(400_000_000, weights);

        var whileSaving = PeakAbove(() => model.Save(folder.Path));
        Console.WriteLine($"{weights:N0} bytes of weights, {whileSaving:N0} more while saving");
        Assert.IsLessThan(AllowedShare * weights, whileSaving);

        CoLMModel? loaded = null;
        var whileLoading = PeakAbove(() => loaded = CoLMModel.Load(folder.Path)) - weights;
        Console.WriteLine($"{whileLoading:N0} bytes more than the weights while loading");
        using (loaded)
        {
            ModelAssert.SameWeights(model, loaded!);
            Assert.IsLessThan(AllowedShare * weights, whileLoading);
        }
    }

    private static long PeakAbove(Action action)
    {
        ProcessMemory.ReturnFree(); // memory that the allocator keeps for later would hide what is taken now
        _ = ProcessMemory.TryForgetPeak();
        var before = ProcessMemory.Resident;
        action();
        return ProcessMemory.Peak - before;
    }
}
