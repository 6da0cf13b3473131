using System.CommandLine;
using Evaluate;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

var modelFolder = new Option<DirectoryInfo>("--model")
{
    Description = "LLaMA or CoLM folder; without it and --zip, QuickStart's model, which is made where it is absent",
}.AcceptExistingOnly();
var zip = new Option<FileInfo>("--zip")
{
    Description = "zip with a fitted pipeline that holds a model",
}.AcceptExistingOnly();
var tasks = new Option<DirectoryInfo>("--tasks")
{
    Description = "folder with published files of HellaSwag, OpenBookQA, WinoGrande, ARC-Easy and -Challenge, BoolQ, PIQA " +
        "(with its labels) and SciQ, known by their names; without it, items made of generated stories",
}.AcceptExistingOnly();
var texts = new Option<FileInfo>("--texts")
{
    Description = "JSON lines with \"text\", for the metrics of a language model; without it and --tasks, generated stories",
}.AcceptExistingOnly();
var rows = new Option<int>("--rows")
{
    Description = "items of each task, and texts, at most",
    DefaultValueFactory = _ => int.MaxValue,
};
var command = new RootCommand(
    "Says how good a model is at every chain count: accuracies of the eight commonsense tasks and their mean, and the " +
    "metrics of a language model. Without arguments, of generated stories.")
{
    modelFolder, zip, tasks, texts, rows,
};
// Validators see the text: a value that is none has its own error, and no value to ask for.
command.Validators.Add(result =>
{
    if (result.GetResult(modelFolder) is not null && result.GetResult(zip) is not null)
        result.AddError("Give --model or --zip, not both.");
});
rows.Validators.Add(result =>
{
    if (result.Tokens is [var token] && int.TryParse(token.Value, out var count) && count < 1)
        result.AddError("--rows must be at least 1.");
});
SampleCommand.SetAction(command, (result, cancellation) =>
{
    var mlContext = new MLContext(seed: 1);
    var fitted = result.GetValue(modelFolder) is { } folder ? null
        : result.GetValue(zip) is { } file ? mlContext.CoLM().Load(file.FullName, out _, cancellation)
        : StoryModel.LoadOrTrain(mlContext, cancellation);
    using var owner = fitted as IDisposable;
    using var model = fitted is null ? CoLMModel.Load(result.GetValue(modelFolder)!.FullName, cancellationToken: cancellation) : null;
    var report = new Report(mlContext, model ?? FittedModel.Of(fitted!), result.GetValue(rows), cancellation);
    var isGenerated = result.GetValue(tasks) is null && result.GetValue(texts) is null;
    if (result.GetValue(tasks) is { } taskFolder)
        report.WriteAccuracies(TaskFiles.Load(mlContext, taskFolder));
    else if (isGenerated)
        report.WriteAccuracies(StoryTasks.Make(mlContext));
    if (result.GetValue(texts) is { } textFile)
        report.WriteLanguageMetrics(JsonLines.Texts(textFile.FullName));
    else if (isGenerated)
        report.WriteLanguageMetrics(StoryTasks.Texts());
});
return await SampleCommand.RunAsync(command, args);
