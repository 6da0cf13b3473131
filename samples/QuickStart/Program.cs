using System.CommandLine;
using Microsoft.ML.CoLM;
using QuickStart;
using Samples;
using static TorchSharp.torch;

var model = new Option<DirectoryInfo>("--model")
{
    Description = "LLaMA or CoLM folder to grow; without it, a small base is trained from nothing",
}.AcceptExistingOnly();
var train = new Option<FileInfo>("--train")
{
    Description = "texts to train on: JSON lines with \"text\" (.jsonl), or plain text with a blank line between " +
        "documents; without it, the sample writes small stories",
}.AcceptExistingOnly();
var validation = new Option<FileInfo>("--validation")
{
    Description = "texts to validate on, as for --train",
}.AcceptExistingOnly();
var chains = new Option<string>("--chains")
{
    Description = "attention heads of each added chain, for example 8 or 8,4; without it, one as wide as the first",
};
var steps = new Option<int>("--steps")
{
    Description = "optimizer steps of each training",
    DefaultValueFactory = _ => StoryModel.Steps,
};
var learningRate = new Option<double>("--learning-rate")
{
    Description = "the learning rate of the added chains after the warm-up",
    DefaultValueFactory = _ => StoryModel.LearningRate,
};
var dtype = new Option<string>("--dtype")
{
    Description = "the type that the models compute and are stored in",
    DefaultValueFactory = _ => "float32",
}.AcceptOnlyFromAmong("float32", "bfloat16");
var kvSharing = new Option<bool>("--kv-sharing")
{
    Description = "whether all chains share the first one's keys and values, true (the default) or false",
    DefaultValueFactory = _ => true,
};
var maxTokens = new Option<int?>("--max-tokens")
{
    Description = "leaves validation rows of more tokens out of the comparison; without it, none",
};
var output = new Option<FileInfo>("--out")
{
    Description = "zip to write",
    DefaultValueFactory = _ => new FileInfo(StoryModel.FileName),
};
var outputFolder = new Option<DirectoryInfo>("--out-folder")
{
    Description = "CoLM folder to write, too; without it, none",
};
var chart = new Option<FileInfo>("--chart")
{
    Description = "chart of loss against latency to write, as PNG and as SVG; without it, sweep beside the zip",
};

var command = new RootCommand(
    "Grows a language model by a chain, trains that on text, compares chain counts, saves one zip and scores from it. " +
    "Without arguments, all of it on stories of its own.")
{
    model, train, validation, chains, steps, learningRate, dtype, kvSharing, maxTokens, output, outputFolder, chart,
};
// Validators see the text: a value that is none has its own error, and no value to ask for.
command.Validators.Add(result =>
{
    if (result.GetResult(train) is null != result.GetResult(validation) is null)
        result.AddError("Give --train and --validation together.");
});
steps.Validators.Add(result =>
{
    if (result.Tokens is [var token] && int.TryParse(token.Value, out var count) && count < 0)
        result.AddError("--steps must be at least 0.");
});
SampleCommand.SetAction(command, (result, cancellation) =>
    new Job(new Settings(
        result.GetValue(model), result.GetValue(train), result.GetValue(validation),
        result.GetValue(chains) is { } text ? [.. ChainLayout.Parse(text).Heads] : null, result.GetValue(steps),
        result.GetValue(learningRate), Enum.Parse<ScalarType>(result.GetRequiredValue(dtype), ignoreCase: true),
        result.GetValue(kvSharing), result.GetValue(maxTokens), result.GetValue(output)!,
        result.GetValue(outputFolder), result.GetValue(chart) ?? BesideTheZip(result.GetValue(output)!))).Run(cancellation));
return await SampleCommand.RunAsync(command, args);

static FileInfo BesideTheZip(FileInfo zip) => new(Path.Combine(zip.DirectoryName ?? "", "sweep.png"));
