using System.CommandLine;
using DistributedSample;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

var model = new Option<DirectoryInfo>("--model")
{
    Description = "LLaMA or CoLM folder to grow; without it, QuickStart's small base is trained first",
}.AcceptExistingOnly();
var train = new Option<FileInfo>("--train")
{
    Description = "texts to train on: JSON lines with \"text\" (.jsonl), or plain text with a blank line between " +
        "documents; without it, the sample writes small stories",
}.AcceptExistingOnly();
var validation = new Option<FileInfo>("--validation") { Description = "texts to validate on, as for --train" }.AcceptExistingOnly();
var chains = new Option<string>("--chains")
{
    Description = "attention heads of each added chain, for example 8 or 8,4; without it, one as wide as the first",
};
var steps = new Option<int>("--steps") { Description = "optimizer steps", DefaultValueFactory = _ => StoryModel.Steps };
var batch = new Option<int>("--batch")
{
    Description = "windows of a step, of all ranks together, a multiple of the ranks",
    DefaultValueFactory = _ => new ChainExpansionEstimator.Options().BatchSize,
};
var ranks = new Option<int>("--ranks")
{
    Description = "processes to start on this machine; not for a process that an MPI launcher started",
    DefaultValueFactory = _ => 2,
};
var checkpoints = new Option<DirectoryInfo>("--checkpoints")
{
    Description = "folder to write checkpoints to and to resume from; without it, none",
};
var timeLimit = new Option<double>("--time-limit")
{
    Description = "seconds that a rank waits for the others before all end",
    DefaultValueFactory = _ => 600,
};
var output = new Option<FileInfo>("--out")
{
    Description = "zip to write",
    DefaultValueFactory = _ => new FileInfo("distributed.zip"),
};

var command = new RootCommand(ClusterHelp.Text) { model, train, validation, chains, steps, batch, ranks, checkpoints, timeLimit, output };
command.Validators.Add(result =>
{
    if (result.GetResult(train) is null != result.GetResult(validation) is null)
        result.AddError("Give --train and --validation together.");
});
AtLeast(steps, 0);
AtLeast(batch, 1);
AtLeast(ranks, 1);
timeLimit.Validators.Add(result =>
{
    if (result.Tokens is [var token] && double.TryParse(token.Value, out var seconds) && !(seconds is > 0 and < 1e6))
        result.AddError($"--time-limit must be above 0 seconds, found {token.Value}.");
});
SampleCommand.SetAction(command, Run);
return await SampleCommand.RunAsync(command, args);

static void AtLeast(Option<int> option, int least) => option.Validators.Add(result =>
{
    if (result.Tokens is [var token] && int.TryParse(token.Value, out var count) && count < least)
        result.AddError($"{option.Name} must be at least {least}, found {count}.");
});

void Run(ParseResult result, CancellationToken cancellation)
{
    var settings = new Settings(
        result.GetValue(model), result.GetValue(train), result.GetValue(validation),
        result.GetValue(chains) is { } text ? [.. ChainLayout.Parse(text).Heads] : null, result.GetValue(steps), result.GetValue(batch),
        result.GetValue(checkpoints), TimeSpan.FromSeconds(result.GetValue(timeLimit)), result.GetRequiredValue(output));
    if (!Launcher.IsRank)
    {
        CheckBatch(settings.Batch, result.GetValue(ranks));
        Start(settings, result.GetValue(ranks), cancellation);
        return;
    }
    if (settings.Model is null)
        throw new ArgumentException("--model must name the folder to grow: every rank reads it.");
    using var communicator = Communicator.FromMpi(settings.TimeLimit);
    CheckBatch(settings.Batch, communicator.Size);
    new RankJob(settings, communicator).Run(cancellation);
}

static void CheckBatch(int batch, int ranks)
{
    if (batch % ranks != 0)
        throw new ArgumentException($"--batch must be a multiple of the {ranks} ranks, found {batch}.");
}

void Start(Settings settings, int count, CancellationToken cancellation)
{
    if (settings.Model is not null)
    {
        Launcher.Run(count, args, cancellation);
        return;
    }
    var folder = Directory.CreateTempSubdirectory("colm-base-");
    try
    {
        StoryModel.SaveBase(new MLContext(seed: 1), folder.FullName, cancellation);
        Launcher.Run(count, [.. args, model.Name, folder.FullName], cancellation);
    }
    finally
    {
        folder.Delete(recursive: true);
    }
}
