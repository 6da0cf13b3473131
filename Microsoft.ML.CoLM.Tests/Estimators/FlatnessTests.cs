using System.Diagnostics;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>
/// Long runs, each in a process of its own: what other tests left would be freed, compiled or collected meanwhile.
/// </summary>
[TestClass, DoNotParallelize]
public sealed class FlatnessTests
{
    private const long Megabyte = 1 << 20;

    // What compilation and the allocators of .NET and of the C library may still add after the first quarter of a run.
    // If the logits alone of every step or batch stayed behind, that would be twice as much and more.
    private const long AllowedGrowth = 12 * Megabyte;

    private readonly MLContext _mlContext = new(seed: 1);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void TenThousandRowsLeaveTensorsAndMemoryAsTheyWere()
    {
        if (IsForAnotherProcess())
            return;
        const int Rows = 10_000;
        const int Look = 1000;
        using var model = TextModels.Random(TextModels.Config(4, 4) with { LayerCount = 1 });
        using var transformer = _mlContext.Scorer(model);
        // Lengths come back every few rows, so that no later batch is the largest.
        var data = _mlContext.Data.LoadFromEnumerable(
            Enumerable.Range(0, Rows).Select(i => new TextRow { Text = TextModels.Sentence(i * 7 % 40) }));
        var scored = transformer.Transform(data);
        LiveTensors.CountSettled();
        var looks = new Looks();
        using var cursor = scored.GetRowCursor(scored.Schema);
        var read = cursor.GetGetter<float>(scored.Schema["LogProbability"]);
        float value = 0;
        for (var row = 1; cursor.MoveNext(); row++)
        {
            read(ref value);
            if (row % Look == 0)
                looks.Take();
        }
        looks.AreFlat(Rows / Look);
    }

    [TestMethod]
    public void ThousandsOfPredictionsLeaveTensorsAndMemoryAsTheyWere()
    {
        if (IsForAnotherProcess())
            return;
        const int Rows = 3000;
        const int Look = 300;
        using var model = TextModels.Random(TextModels.Config(4) with { LayerCount = 1 });
        using var transformer = _mlContext.Scorer(model);
        using var engine = _mlContext.Model.CreatePredictionEngine<TextRow, ScoredRow>(transformer);
        LiveTensors.CountSettled();
        var looks = new Looks();
        for (var row = 1; row <= Rows; row++)
        {
            engine.Predict(new TextRow { Text = TextModels.Sentence(row * 7 % 40) });
            if (row % Look == 0)
                looks.Take();
        }
        looks.AreFlat(Rows / Look);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void AThousandStepsLeaveTensorsAndMemoryAsTheyWere(bool fromNothing)
    {
        if (IsForAnotherProcess())
            return;
        const int Steps = 1000;
        const int Look = 100;
        using var model = TextModels.Random(TextModels.Config(2) with { LayerCount = 1 });
        var options = Expansion.Grow(model, Steps, 2);
        if (fromNothing)
        {
            (options.Model, options.AddedChains) = (null, []);
            options.Architecture = TextModels.Config(2, 2) with { LayerCount = 1, KvSharing = true };
        }
        (options.SequenceLength, options.BatchSize, options.LearningRate) = (16, 2, 1e-3);
        (options.ValidationSet, options.ValidationInterval) = (_mlContext.Rows("some text"), 10);
        var looks = new Looks();
        var counts = new HashSet<long>();
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step > 1)
                counts.Add(LiveTensors.Count);
            if (progress.Step % Look == 0)
                looks.Take();
        });
        LiveTensors.CountSettled();
        _mlContext.Fit(options).Dispose();
        looks.AreFlat(Steps / Look);
        // Not a single tensor waits for the garbage collector, at any step.
        Assert.ContainsSingle(counts, $"{string.Join(", ", counts)}");
    }

    [TestMethod]
    public void ManyFitsLeaveMemoryAsItWas()
    {
        if (IsForAnotherProcess())
            return;
        var looks = new Looks();
        for (var fit = 1; fit <= 60; fit++)
        {
            using var fitted = _mlContext.Fit(Expansion.FromNothing(2, 4, 4));
            using var one = fitted.WithChainCount(1);
            one.Score(_mlContext, "some text");
            if (fit % 6 == 0)
                looks.Take(countTensors: false);
        }
        // TorchSharp never stops to count the empty shell of a tensor that became a parameter: memory alone can tell.
        looks.AreFlat(10);
    }

    /// <summary>Whether another process does the test, as it does unless this is that process.</summary>
    private bool IsForAnotherProcess()
    {
        if (!FreshProcess.IsThis)
            FreshProcess.RunTest(TestContext);
        return !FreshProcess.IsThis;
    }

    /// <summary>Live tensors and resident memory at points of a long run.</summary>
    private sealed class Looks
    {
        private readonly List<long> _tensors = [];
        private readonly List<long> _memory = [];

        public void Take(bool countTensors = true)
        {
            // Before any collection: what waits for one is not flat.
            _tensors.Add(countTensors ? LiveTensors.Count : 0);
            LiveTensors.CountSettled();
            using var process = Process.GetCurrentProcess();
            _memory.Add(process.WorkingSet64);
        }

        public void AreFlat(int count)
        {
            Console.WriteLine($"Tensors: {string.Join(", ", _tensors)}");
            var megabytes = _memory.Select(bytes => $"{bytes / (double)Megabyte:F1}");
            Console.WriteLine($"Megabytes: {string.Join(", ", megabytes)}");
            Assert.HasCount(count, _memory);
            Assert.AreEqual(_tensors[0], _tensors.Max());
            Assert.AreEqual(_tensors[0], _tensors.Min());
            // The first looks belong to the warm-up: code is compiled, caches and thread pools fill.
            var warm = _memory[..(count / 4)].Max();
            Assert.IsLessThan(AllowedGrowth, _memory[(count / 4)..].Max() - warm);
        }
    }
}
