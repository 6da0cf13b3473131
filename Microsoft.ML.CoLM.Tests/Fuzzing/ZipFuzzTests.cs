using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Zips that are not what they were, as bytes and by their entries.</summary>
[TestClass, DoNotParallelize]
public sealed class ZipFuzzTests
{
    // A header may name an assembly that is not there, or none at all; everything else is damage.
    private static readonly Type[] Documented =
        [typeof(InvalidDataException), typeof(FileNotFoundException), typeof(FileLoadException)];

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(350)]
    public void ModelZips(int count) => Run(nameof(ModelZips), count, SaveCascade, isOld: false);

    [TestMethod]
    [DataRow(350)]
    public void ZipsOfAnEarlierVersion(int count) => Run(nameof(ZipsOfAnEarlierVersion), count, SaveCascade, isOld: true);

    [TestMethod]
    [DataRow(300)]
    public void TunedZips(int count) => Run(nameof(TunedZips), count, SaveTuned, isOld: false);

    private void Run(string format, int count, Action<string> save, bool isOld)
    {
        using var folder = new TemporaryFolder();
        save(folder["model.zip"]);
        if (isOld)
            OldZips.Write(folder["model.zip"], folder["base.zip"]);
        else
            File.Copy(folder["model.zip"], folder["base.zip"]);
        var bytes = File.ReadAllBytes(folder["base.zip"]);
        string[] names = [.. ZipEntries.Read(folder["base.zip"]).Keys
            .Where(name => name.StartsWith(ZipEntries.Component, StringComparison.Ordinal))
            .Select(name => name[ZipEntries.Component.Length..])];
        var expected = Scores(folder["base.zip"]);
        Fuzzer.Run(format, count, random =>
        {
            File.Delete(folder["damaged.zip"]);
            if (random.Next(2) == 0)
            {
                File.WriteAllBytes(folder["damaged.zip"], Mutation.OfBytes(bytes, random));
            }
            else
            {
                ZipEntries.Change(folder["base.zip"], folder["damaged.zip"], names[random.Next(names.Length)],
                    content => content is [(byte)'{', ..] ? Mutation.OfJson(content, random) : Mutation.OfBytes(content, random));
            }
            if (isOld)
                ReadColumns(folder["damaged.zip"]);
            else
                CollectionAssert.AreEqual(expected, Scores(folder["damaged.zip"]));
            return true;
        }, isOld ? [.. Documented, typeof(ArgumentException)] : Documented);
    }

    private float[] Scores(string path)
    {
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(path, out _);
        return loaded.Settings.Scorer.Head is null
            ? [.. loaded.Score(_mlContext, "a text", "another").Select(score => score.LogProbability)]
            : _mlContext.Predict(loaded, Tuning.Easy).Scores();
    }

    // What nothing vouches for may be another model, or read other columns, which the data then lacks.
    private void ReadColumns(string path)
    {
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(path, out _);
        Assert.HasCount(2, loaded.Transform(_mlContext.Rows("a text", "another")).Preview().RowView);
    }

    private void SaveCascade(string path)
    {
        using var model = TextModels.Random(4, 4);
        using var whole = _mlContext.Scorer(model);
        using var transformer = whole.WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [2] });
        _mlContext.CoLM().Save(transformer, null, path);
    }

    private void SaveTuned(string path)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options);
        _mlContext.CoLM().Save(tuned, null, path);
    }
}
