using System.CommandLine;
using System.Globalization;
using Benchmarks;
using Microsoft.ML.CoLM;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

var model = new Option<DirectoryInfo>("--model")
{
    Description = "LLaMA or CoLM folder",
    Required = true,
}.AcceptExistingOnly();
var rounds = new Option<int>("--rounds")
{
    Description = "how often the things compared take turns",
    DefaultValueFactory = _ => 5,
};
var chains = new Option<string>("--chains")
{
    Description = "attention heads of each added chain",
    DefaultValueFactory = _ => "8",
};
var kvSharing = new Option<bool>("--kv-sharing")
{
    Description = "whether all chains share the first one's keys and values, true or false",
    DefaultValueFactory = _ => true,
};
var steps = new Option<int>("--steps") { Description = "steps of a turn", DefaultValueFactory = _ => 10 };
var trainStep = new Command("train-step", "a step behind a frozen first chain, against one that trains all chains")
{
    model, chains, kvSharing, rounds, steps,
};
trainStep.SetAction(result => TrainStep.Run(result.GetRequiredValue(model),
    [.. ChainLayout.Parse(result.GetRequiredValue(chains)).Heads], result.GetValue(kvSharing),
    result.GetValue(rounds), result.GetValue(steps)));

var rows = new Option<int>("--rows") { Description = "rows to score", DefaultValueFactory = _ => 1000 };
var words = new Option<int>("--words") { Description = "words of a row", DefaultValueFactory = _ => 8 };
var score = new Command("score", "rows a second of Transform, against a PredictionEngine row by row")
{
    model, rows, words, rounds,
};
score.SetAction(result => Scoring.Run(result.GetRequiredValue(model), result.GetValue(rows), result.GetValue(words),
    result.GetValue(rounds)));

var megabytes = new Option<int>("--megabytes")
{
    Description = "size of the random model's weights",
    DefaultValueFactory = _ => 400,
};
var load = new Command("load", "peak memory of saving and loading a zip, above the weights (Linux)") { megabytes };
load.SetAction(result => ZipMemory.Run(result.GetValue(megabytes)));

var way = new Argument<string>("way");
var zip = new Argument<string>("zip");
var size = new Argument<int>("megabytes");
var child = new Command("load-child", "one process of the command load") { way, zip, size };
child.Hidden = true;
child.SetAction(result => ZipMemory.RunChild(
    result.GetRequiredValue(way), result.GetRequiredValue(zip), result.GetValue(size)));

return await new RootCommand("Measures the library: ratios of things that take turns in one run.")
{
    trainStep, score, load, child, Cascades.Command(model, rounds),
}.Parse(args).InvokeAsync();
