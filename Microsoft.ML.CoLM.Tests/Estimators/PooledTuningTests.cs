using System.Buffers.Binary;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Labels that are read from the mean of all tokens' features.</summary>
[TestClass, DoNotParallelize]
public sealed class PooledTuningTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TheHeadReadsTheMeanOfAllTokens(bool kvSharing)
    {
        using var tuned = Tuned("Label", kvSharing);
        var rows = _mlContext.Keyed();
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var elastic = tuned.WithChainCount(chainCount);
            using var features = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
            {
                Model = tuned.Model,
                ChainCount = chainCount,
                Task = ScoringTask.Features,
                Pooling = FeaturePooling.Mean,
            }).Fit(rows);
            var vectors = features.Transform(rows).GetColumn<float[]>("Features").ToArray();
            var found = elastic.Transform(rows).GetColumn<float[]>("Score").ToArray();
            for (var row = 0; row < vectors.Length; row++)
            {
                var expected = Probabilities(tuned, vectors[row]);
                for (var label = 0; label < expected.Length; label++)
                    Assert.AreEqual(expected[label], found[row][label], 1e-5, $"row {row}, {chainCount} chains");
            }
        }
    }

    [TestMethod]
    [DataRow("Label", "Score")]
    [DataRow("IsWarm", "Probability")]
    [DataRow("Degrees", "Score")]
    public void AZipKeepsWhatIsRead(string label, string score)
    {
        using var tuned = Tuned(label, kvSharing: true);
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Keyed();
        _mlContext.CoLM().Save(tuned, rows.Schema, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)new MLContext().CoLM().Load(folder["model.zip"], out _);
        Assert.AreEqual(FeaturePooling.Mean, loaded.Head().Pooling);
        CollectionAssert.AreEqual(Scores(tuned, rows, score), Scores(loaded, rows, score));
        using var one = tuned.WithChainCount(1);
        using var loadedOne = loaded.WithChainCount(1);
        CollectionAssert.AreEqual(Scores(one, rows, score), Scores(loadedOne, rows, score));
    }

    [TestMethod]
    [DataRow("Label", "Score")]
    [DataRow("IsWarm", "Probability")]
    [DataRow("Degrees", "Score")]
    public void AFolderKeepsWhatIsRead(string label, string score)
    {
        using var tuned = Tuned(label, kvSharing: true);
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Keyed();
        tuned.Model.Save(folder["model"]);
        using var read = _mlContext.Transforms.ElasticScoring(folder["model"]).Fit(rows);
        Assert.AreEqual(FeaturePooling.Mean, read.Head().Pooling);
        CollectionAssert.AreEqual(Scores(tuned, rows, score), Scores(read, rows, score));
        using var one = tuned.WithChainCount(1);
        using var readOne = read.WithChainCount(1);
        CollectionAssert.AreEqual(Scores(one, rows, score), Scores(readOne, rows, score));

        _mlContext.CoLM().Save(read, rows.Schema, folder["model.zip"]);
        using var ofZip = (ElasticScoringTransformer)new MLContext().CoLM().Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(Scores(tuned, rows, score), Scores(ofZip, rows, score));
        ofZip.Model.Save(folder["again"]);
        ModelAssert.SameFiles(folder["model"], folder["again"]);
    }

    [TestMethod]
    public void AFolderWithAnotherPoolingIsRefused()
    {
        using var tuned = Tuned("Label", kvSharing: true);
        using var folder = new TemporaryFolder();
        tuned.Model.Save(folder.Path);
        SafetensorsBytes.Edit(folder["task-head.safetensors"], "\"colm_pooling\":\"mean\"", "\"colm_pooling\":\"first\"");
        foreach (var load in (Func<IDisposable>[])[
            () => CoLMModel.Load(folder.Path), () => _mlContext.Transforms.ElasticScoring(folder.Path).Fit(_mlContext.Keyed())])
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(load);
            foreach (var part in (string[])[folder["task-head.safetensors"], "colm_pooling", "\"mean\"", "\"first\""])
                Assert.Contains(part, error.Message);
        }
    }

    [TestMethod]
    public void WhatIsReadAndLiteralTextGoTogether()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var scorer = _mlContext.Scorer(model);
        var options = Tuning.Steps(scorer);
        (options.LabelColumnName, options.Pooling, options.ParseSpecialTokens) = ("IsWarm", FeaturePooling.Mean, false);
        var rows = _mlContext.Labelled(new LabelledRow { Text = "The <|end_of_text|> of it", IsWarm = true }, Tuning.Data[0]);
        using var tuned = _mlContext.Tune(options, rows);
        using var folder = new TemporaryFolder();
        tuned.Model.Save(folder["model"]);
        using var read = _mlContext.Transforms.ElasticScoring(folder["model"]).Fit(rows);
        _mlContext.CoLM().Save(tuned, rows.Schema, folder["model.zip"]);
        using var ofZip = (ElasticScoringTransformer)new MLContext().CoLM().Load(folder["model.zip"], out _);
        var expected = Scores(tuned, rows, "Probability");
        foreach (var found in (ElasticScoringTransformer[])[read, ofZip])
        {
            Assert.AreEqual((FeaturePooling.Mean, false), (found.Head().Pooling, found.Settings.ParsesSpecialTokens));
            CollectionAssert.AreEqual(expected, Scores(found, rows, "Probability"));
        }

        // Windows are of another task's, whose settings the same model has beside its head.
        using var windows = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = tuned.Model,
            Task = ScoringTask.Features,
            Pooling = FeaturePooling.Mean,
            ParseSpecialTokens = false,
            Window = 16,
            Stride = 5,
        }).Fit(rows);
        _mlContext.CoLM().Save(windows, rows.Schema, folder["windows.zip"]);
        using var windowsOfZip = (ElasticScoringTransformer)new MLContext().CoLM().Load(folder["windows.zip"], out _);
        Assert.AreEqual(windows.Settings, windowsOfZip.Settings);
        CollectionAssert.AreEqual(Scores(windows, rows, "Features"), Scores(windowsOfZip, rows, "Features"));
    }

    [TestMethod]
    public void AZipWithAnotherPoolingIsRefused()
    {
        using var tuned = Tuned("Label", kvSharing: true);
        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder["model.zip"]);
        // An old zip has no digests, which would tell first.
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        ZipEntries.Change(folder["old.zip"], folder["changed.zip"], "Model.key", bytes =>
        {
            // The task's number with the flag, and behind it the pooling.
            byte[] number = BitConverter.GetBytes((int)TaskKind.MulticlassClassification + (1 << 18));
            var place = bytes.AsSpan().IndexOf(number);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(place + sizeof(int)), 7);
            return bytes;
        });
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => new MLContext().CoLM().Load(folder["changed.zip"], out _));
        Assert.Contains("pooling 7", error.Message);
    }

    [TestMethod]
    public void ItIsOfLabelsAlone()
    {
        using var model = TextModels.Random(4, 4);
        using var scorer = _mlContext.Scorer(model);
        foreach (var task in (TuningTask[])[TuningTask.Completion, TuningTask.LanguageHeads])
        {
            var options = Tuning.Steps(scorer);
            (options.Task, options.Pooling) = (task, FeaturePooling.Mean);
            var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Transforms.ChainTuning(options));
            Assert.Contains("Pooling must be left out unless Task is Label", error.Message);
        }
    }

    private ElasticScoringTransformer Tuned(string label, bool kvSharing)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = kvSharing });
        using var scorer = _mlContext.Scorer(model);
        var options = Tuning.Steps(scorer);
        (options.LabelColumnName, options.Pooling, options.SequenceLength) = (label, FeaturePooling.Mean, 64);
        return _mlContext.Tune(options);
    }

    private static float[] Scores(ElasticScoringTransformer transformer, IDataView rows, string score)
    {
        var scored = transformer.Transform(rows);
        return scored.Schema[score].Type is VectorDataViewType
            ? [.. scored.GetColumn<float[]>(score).SelectMany(row => row)] : [.. scored.GetColumn<float>(score)];
    }

    private static double[] Probabilities(ElasticScoringTransformer tuned, float[] features)
    {
        var head = tuned.Head();
        var outputs = new double[Tuning.Classes.Length];
        var start = 0;
        for (var chain = 0; start < features.Length; chain++)
        {
            var weight = head.Weight(chain);
            for (var label = 0; label < outputs.Length; label++)
            {
                using var own = weight[label];
                outputs[label] += own.data<float>().Zip(features.Skip(start), (a, b) => (double)a * b).Sum();
            }
            start += (int)weight.size(1);
        }
        var sum = outputs.Sum(Math.Exp);
        return Array.ConvertAll(outputs, output => Math.Exp(output) / sum);
    }
}
