using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;
using Spectre.Console;

namespace QuickStart;

/// <summary>The main job: grow a model, train the new chain, compare chain counts, save, load, score.</summary>
internal sealed class Job(Settings settings)
{
    private const int Seed = 1;

    private readonly MLContext _mlContext = new(Seed);

    public void Run(CancellationToken cancellation)
    {
        CheckOutputs();
        var (train, validation) = LoadData();
        using var baseModel = settings.Model is { } folder
            ? CoLMModel.Load(folder.FullName, dtype: settings.DataType, cancellationToken: cancellation)
            : Fit("Training a base from nothing", train, validation, StoryModel.Base(settings.Steps), cancellation).Model;
        var options = StoryModel.Growth(baseModel, settings.Steps);
        options.AddedChains = settings.Chains ?? options.AddedChains;
        (options.KvSharing, options.LearningRate) = (settings.KvSharing, settings.LearningRate);
        using var grown = Fit("Training the added chains", train, validation, options, cancellation);
        Compare(grown, train, validation, cancellation);
        Save(grown, train.Schema);
        cancellation.ThrowIfCancellationRequested();
        ScoreLoaded(_mlContext.Data.CreateEnumerable<Document>(validation, reuseRowObject: false).First().Text);
    }

    // Before the training, not after it.
    private void CheckOutputs()
    {
        if (Directory.Exists(settings.Out.FullName))
            throw new IOException($"--out must name a zip, found the folder {settings.Out.FullName}.");
        if (Directory.Exists(settings.Chart.FullName))
            throw new IOException($"--chart must name a file, found the folder {settings.Chart.FullName}.");
        if (settings.OutFolder is { } folder && File.Exists(folder.FullName))
            throw new IOException($"--out-folder must name a folder, found the file {folder.FullName}.");
        settings.OutFolder?.Create();
        settings.Out.Directory?.Create();
        settings.Chart.Directory?.Create();
        // The zip is written beside its place, too.
        using var written = new FileStream(
            settings.Out.FullName + ".tmp", FileMode.Create, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
    }

    private (IDataView Train, IDataView Validation) LoadData()
    {
        IDataView Load(FileInfo file) => _mlContext.Data.LoadFromEnumerable(Corpus.Read(file));
        return settings is { Train: { } train, Validation: { } validation }
            ? (Load(train), Load(validation)) : StoryModel.Stories(_mlContext);
    }

    private ElasticScoringTransformer Fit(
        string title, IDataView train, IDataView validation, ChainExpansionEstimator.Options options,
        CancellationToken cancellation)
    {
        ElasticScoringTransformer? fitted = null;
        AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(),
                new RemainingTimeColumn())
            .Start(display =>
            {
                var bar = display.AddTask(title);
                options.DataType = settings.DataType;
                options.ValidationSet = validation;
                options.CancellationToken = cancellation;
                options.Progress = new DirectProgress<TrainingProgress>(progress =>
                {
                    bar.MaxValue = progress.TotalSteps;
                    bar.Value = progress.Step;
                    bar.Description = $"{title}, loss {progress.Loss:F3}, {progress.TokensPerSecond:F0} tokens/s";
                });
                fitted = _mlContext.Transforms.ChainExpansion(options).Fit(train);
            });
        cancellation.ThrowIfCancellationRequested();
        return fitted!;
    }

    private void Compare(ElasticScoringTransformer model, IDataView train, IDataView validation, CancellationToken cancellation)
    {
        if (settings.MaxTokens is { } most)
            validation = Shorter(model, validation, most);
        using var result = _mlContext.CoLM().CreateSweep().SetModel(model).SetDataset(train, validation).SetMetric(SweepMetric.Loss)
            .RunAsync(cancellation).GetAwaiter().GetResult();
        cancellation.ThrowIfCancellationRequested();
        // As it is: Spectre.Console would break lines at the console's width.
        Console.Out.Write(result);
        Console.Out.WriteLine(SweepAdvice.Sentence(result));
        Console.Out.WriteLine($"Drawn in {string.Join(" and ", SweepChart.Save(result, settings.Chart.FullName))}.");
    }

    private IDataView Shorter(ElasticScoringTransformer model, IDataView rows, int most)
    {
        using var fastest = model.WithChainCount(1);
        // Scored tokens are all but the first.
        return _mlContext.Data.LoadFromEnumerable(_mlContext.Data
            .CreateEnumerable<Score>(fastest.Transform(rows), reuseRowObject: false, ignoreMissingColumns: true)
            .Where(score => score.TokenCount < most)
            .Select(score => new Document { Text = score.Text })
            .ToArray());
    }

    private void Save(ElasticScoringTransformer model, DataViewSchema schema)
    {
        _mlContext.CoLM().Save(model, schema, settings.Out.FullName);
        AnsiConsole.WriteLine($"Saved {settings.Out.FullName}.");
        if (settings.OutFolder is { } folder)
        {
            model.Model.Save(folder.FullName);
            AnsiConsole.WriteLine($"Saved {folder.FullName}.");
        }
    }

    private void ScoreLoaded(string text)
    {
        var mlContext = new MLContext();
        using var loaded = (ElasticScoringTransformer)mlContext.CoLM().Load(settings.Out.FullName, out _);
        AnsiConsole.WriteLine($"Loaded it again, to score \"{(text.Length > 60 ? text[..60] + "..." : text)}\"");
        for (var chainCount = 1; chainCount <= Math.Min(2, loaded.ChainCount); chainCount++)
        {
            using var engine = mlContext.Model.CreatePredictionEngine<Document, Score>(loaded.WithChainCount(chainCount));
            var score = engine.Predict(new Document { Text = text });
            AnsiConsole.WriteLine(
                $"  with {chainCount} of {loaded.ChainCount} chains: log-probability {score.LogProbability:F2} over " +
                $"{score.TokenCount} tokens, perplexity {score.Perplexity:F2}");
        }
    }
}
