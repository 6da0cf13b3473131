using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

namespace DistributedSample;

/// <summary>What each rank does: the expansion, together with the others; the first one tells of it, and saves.</summary>
internal sealed class RankJob(Settings settings, Communicator communicator)
{
    private const int Seed = 1;
    private const int StepsBetweenReports = 10;

    private readonly MLContext _mlContext = new(Seed);

    public void Run(CancellationToken cancellation)
    {
        var (train, validation) = settings is { Train: { } texts, Validation: { } others }
            ? (Load(texts), Load(others)) : StoryModel.Stories(_mlContext);
        using var model = CoLMModel.Load(settings.Model!.FullName, cancellationToken: cancellation);
        var options = StoryModel.Growth(model, settings.Steps);
        options.AddedChains = settings.Chains ?? options.AddedChains;
        options.ValidationSet = validation;

        // A step has as many windows as one process would take, a pass of them for each rank.
        options.Communicator = communicator;
        options.GradientAccumulationSteps = communicator.Size;
        options.BatchSize = settings.Batch / communicator.Size;
        (options.CheckpointFolder, options.ResumeFrom) = (settings.Checkpoints?.FullName, settings.Checkpoints?.FullName);
        options.CancellationToken = cancellation;
        options.Progress = new DirectProgress<TrainingProgress>(Tell);

        using var grown = _mlContext.Transforms.ChainExpansion(options).Fit(train);
        cancellation.ThrowIfCancellationRequested();
        if (communicator.Rank != 0)
            return;
        Console.WriteLine(grown.Training);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{communicator.BytesExchanged / 1e6:N1} MB of numbers from each of {communicator.Size} ranks."));
        _mlContext.CoLM().Save(grown, train.Schema, settings.Out.FullName, cancellation);
        Console.WriteLine($"Saved {settings.Out.FullName}.");
    }

    private IDataView Load(FileInfo file) => _mlContext.Data.LoadFromEnumerable(QuickStart.Corpus.Read(file));

    private void Tell(TrainingProgress progress)
    {
        if (communicator.Rank == 0 && (progress.Step % StepsBetweenReports == 0 || progress.Step == 1))
            Console.WriteLine(progress);
    }
}
