namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Evaluations end when their caller says so.</summary>
[TestClass, DoNotParallelize]
public sealed class CancelledEvaluationTests
{
    [TestMethod]
    public void NoFurtherRowIsRead()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var scorer = mlContext.Scorer(model);
        var rows = mlContext.Rows(TextModels.Texts);
        var scored = scorer.Transform(rows);
        using var source = new CancellationTokenSource();
        source.Cancel();
        var (colm, cancelled) = (mlContext.CoLM(), source.Token);
        foreach (var evaluate in (Action[])[
            () => colm.EvaluateLanguageModel(scored, cancellationToken: cancelled),
            () => colm.EvaluateChainCounts(scorer, rows, cancelled),
            () => colm.CalibrateCascade(scorer, rows, 0.5, cancellationToken: cancelled),
            () => colm.EvaluateCorrelation(scored, "LogProbability", "Perplexity", cancelled)])
        {
            Assert.ThrowsExactly<OperationCanceledException>(evaluate);
        }
        colm.EvaluateLanguageModel(scored, cancellationToken: CancellationToken.None);
    }

    [TestMethod]
    public void AZipIsNeitherWrittenNorReadAnyFurther()
    {
        var mlContext = new MLContext(seed: 1);
        using var folder = new Checkpoints.TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var scorer = mlContext.Scorer(model);
        using var source = new CancellationTokenSource();
        mlContext.CoLM().Save(scorer, inputSchema: null, folder["model.zip"], source.Token);
        (mlContext.CoLM().Load(folder["model.zip"], out _, source.Token) as IDisposable)!.Dispose();
        var before = File.ReadAllBytes(folder["model.zip"]);
        source.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(
            () => mlContext.CoLM().Save(scorer, inputSchema: null, folder["model.zip"], source.Token));
        Assert.ThrowsExactly<OperationCanceledException>(() => mlContext.CoLM().Load(folder["model.zip"], out _, source.Token));
        CollectionAssert.AreEqual(before, File.ReadAllBytes(folder["model.zip"]));
        Assert.HasCount(1, Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    public void AModelIsNeitherLoadedNorSavedAnyFurther()
    {
        using var folder = new Checkpoints.TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var source = new CancellationTokenSource();
        model.Save(folder.Path, cancellationToken: source.Token);
        CoLMModel.Load(folder.Path, cancellationToken: source.Token).Dispose();
        var before = Checkpoints.TemporaryFolder.Contents(folder.Path);
        source.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => CoLMModel.Load(folder.Path, cancellationToken: source.Token));
        Assert.ThrowsExactly<OperationCanceledException>(() => model.Save(folder.Path, chainCount: 1, source.Token));
        var after = Checkpoints.TemporaryFolder.Contents(folder.Path);
        CollectionAssert.AreEqual(before.Keys, after.Keys);
        foreach (var (name, bytes) in before)
            CollectionAssert.AreEqual(bytes, after[name], name);
    }
}
