using System.CommandLine;
using System.Globalization;
using ForgettingStudy;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

var model = new Option<DirectoryInfo>("--model")
{
    Description = "the base: a LLaMA folder",
    Required = true,
}.AcceptExistingOnly();
var storiesTrain = Input("--stories-train", "stories that the added chain is trained on: JSON lines with \"text\"");
var storiesValidation = Input("--stories-validation", "stories that what is known before is measured on");
var train = Input("--train", "sentences to tune on: tab-separated, with the columns \"sentence\" and \"label\"");
var validation = Input("--validation", "sentences to choose settings by; those that rows of --train contain are not used");
var judge = Input("--judge", "sentences that the accuracy is of; none may be contained in a row of --train");
var leaveOutOverlap = new Option<bool>("--leave-out-overlap")
{
    Description = "leaves out rows of --train that contain rows of --judge, which are refused otherwise",
};
var chains = new Option<string>("--chains")
{
    Description = "attention heads of each added chain, for example 8 or 8,4",
    DefaultValueFactory = _ => "8",
};
var kvSharing = new Option<bool>("--kv-sharing")
{
    Description = "whether the added chains read the base's keys and values, true or false; chains with their own learn " +
        "more, chains that share are tuned several times as fast",
    HelpName = "true|false",
};
var initialization = new Option<ChainInitialization>("--initialization")
{
    Description = "what the added chains start as: random weights, or a copy of the base (chains as wide as it)",
    DefaultValueFactory = _ => ChainInitialization.Normal,
};
var expansionSteps = Count(
    "--expansion-steps", "steps of the added chain's training on stories; 0 leaves it as it starts", 300, 0);
var rows = new Option<int?>("--rows") { Description = "how many first rows to tune on; without it, all", HelpName = "N" };
var epochs = Count("--epochs", "passes over the rows", 3, 1);
var batch = Count("--batch", "rows of a step", 32, 1);
var learningRate = new Option<double?>("--learning-rate")
{
    Description = "the learning rate of every method; without it, each one's own: " +
        string.Join(", ", Method.Compared.Select(method => $"{method.Name} {method.LearningRate}")),
};
var rates = new Option<double[]>("--rates")
{
    Description = "learning rates to choose from, for each method: the smallest loss on the rows of --validation after " +
        "training on the first --trial-rows of --train",
    HelpName = "R",
    AllowMultipleArgumentsPerToken = true,
};
var poolings = new Option<FeaturePooling[]>("--poolings")
{
    Description = "what of a text's features the label is read from, to choose from in the same way",
    DefaultValueFactory = _ => [FeaturePooling.LastToken],
    AllowMultipleArgumentsPerToken = true,
};
var headRates = Numbers("--head-rates", "how many times the learning rate the label's head has, to choose from in the same way", 1);
var weightDecays = Numbers("--weight-decays", "AdamW's decay of weights, to choose from in the same way", 0.1);
var labelSmoothings = Numbers(
    "--label-smoothings", "the share of a label that is spread over both, to choose from in the same way", 0);
var trialRows = Count("--trial-rows", "rows that each of them is tried on", 10000, 1);
var restoreBest = new Option<bool>("--restore-best")
{
    Description = "ends each run with the weights of its best validation, instead of the last step's",
};
var dtype = new Option<string>("--dtype")
{
    Description = "the type that models are tuned in; the expanded one is made in float32",
    DefaultValueFactory = _ => "float32",
}.AcceptOnlyFromAmong("float32", "bfloat16");
var loraRank = Count("--lora-rank", "rank of adapters", new LoraOptions().Rank, 1);
var loraAlpha = new Option<double>("--lora-alpha")
{
    Description = "alpha of adapters, which count alpha / rank times",
    DefaultValueFactory = _ => new LoraOptions().Alpha,
};
var validations = Count("--validations", "validations of an epoch, for the chart", 2, 1);
var featureMemory = Count(
    "--feature-memory", "MiB of memory in each run for features of frozen chains, kept for later epochs", 1024, 0);
var featureDisk = Count("--feature-disk", "MiB of temporary files in each run for more of them", 16384, 0);
var seeds = Count("--seeds", "how many seeds: 1, 2 and so on", 1, 1);
var atOnce = Count("--at-once", "runs at a time, each with its share of the cores", 1, 1);
var methods = new Option<string[]>("--methods")
{
    Description = $"which methods, of {string.Join(", ", Method.All.Select(method => method.Name))}; without it, the first " +
        $"{Method.Compared.Length}",
    AllowMultipleArgumentsPerToken = true,
};
var output = Output("--out", "the table to write, as Markdown", "forgetting.md");
var json = Output("--json", "every run's figures and curves; a run that is there is not done again", "forgetting.json");
var chart = Output("--chart", "the picture to write, PNG", "forgetting.png");

var command = new RootCommand(
    "Tunes a language model for a task in five ways, and measures what each reaches, costs and forgets.")
{
    model, storiesTrain, storiesValidation, train, validation, judge, leaveOutOverlap, chains, kvSharing, initialization, expansionSteps, rows,
    epochs, batch, learningRate, rates, poolings, headRates, weightDecays, labelSmoothings, trialRows, restoreBest, dtype, loraRank, loraAlpha, validations, featureMemory, featureDisk, seeds, atOnce,
    methods, output, json, chart,
    new WorkerCommand(),
};
rows.Validators.Add(result =>
{
    if (result.Tokens is [var token] && int.TryParse(token.Value, out var count) && count < 1)
        result.AddError($"--rows must be at least 1, found {count}.");
});
command.Validators.Add(result =>
{
    if (result.GetResult(learningRate) is not null && result.GetResult(rates) is not null)
        result.AddError("Give --learning-rate or --rates, not both.");
});
command.SetAction((result, cancellation) => Task.Run(() =>
{
    try
    {
        _ = ChainLayout.Parse(result.GetValue(chains)!);
        string[] names = [.. (result.GetValue(methods) ?? []).SelectMany(text => text.Split(',')).Distinct()];
        new Study(new Settings(
            new InputFiles(result.GetValue(model)!.FullName, result.GetValue(storiesTrain)!.FullName,
                result.GetValue(storiesValidation)!.FullName, result.GetValue(train)!.FullName,
                result.GetValue(validation)!.FullName, result.GetValue(judge)!.FullName),
            result.GetValue(chains)!, result.GetValue(kvSharing), result.GetValue(initialization),
            result.GetValue(expansionSteps), result.GetValue(rows), result.GetValue(epochs), result.GetValue(batch),
            result.GetValue(learningRate), result.GetValue(rates) ?? [],
            [.. result.GetRequiredValue(poolings).Distinct()], result.GetRequiredValue(headRates),
            result.GetRequiredValue(weightDecays), result.GetRequiredValue(labelSmoothings), result.GetValue(trialRows),
            result.GetValue(restoreBest), result.GetValue(leaveOutOverlap),
            Enum.Parse<ScalarType>(result.GetRequiredValue(dtype), ignoreCase: true),
            result.GetValue(loraRank), result.GetValue(loraAlpha), result.GetValue(validations),
            result.GetValue(featureMemory), result.GetValue(featureDisk), result.GetValue(seeds), result.GetValue(atOnce),
            names.Length == 0 ? Method.Compared : [.. names.Select(Method.Of)],
            result.GetValue(output)!.FullName, result.GetValue(json)!.FullName, result.GetValue(chart)!.FullName)
        {
            Command = "dotnet run -c Release --project samples/ForgettingStudy -- " +
                string.Join(' ', args.Select(Shortened)),
        }).Run(cancellation);
        return 0;
    }
    catch (OperationCanceledException)
    {
        Console.Error.WriteLine("Cancelled; the same command goes on from what was done.");
        return 1;
    }
    catch (Exception e) when (Errors.AreExpected(e))
    {
        Console.Error.WriteLine(Errors.MessageOf(e));
        return 1;
    }
}, CancellationToken.None));
return await command.Parse(args).InvokeAsync();

static Option<FileInfo> Input(string name, string description) => new Option<FileInfo>(name)
{
    Description = description,
    Required = true,
}.AcceptExistingOnly();

static Option<FileInfo> Output(string name, string description, string byDefault) => new(name)
{
    Description = description,
    DefaultValueFactory = _ => new FileInfo(byDefault),
};

static Option<double[]> Numbers(string name, string description, double byDefault) => new(name)
{
    Description = description,
    HelpName = "X",
    DefaultValueFactory = _ => [byDefault],
    AllowMultipleArgumentsPerToken = true,
};

static Option<int> Count(string name, string description, int byDefault, int least)
{
    var option = new Option<int>(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => byDefault,
    };
    // A value that is no number has its own error, and no value to ask for.
    option.Validators.Add(result =>
    {
        if (result.Tokens is [var token] && int.TryParse(token.Value, out var count) && count < least)
            result.AddError($"{name} must be at least {least}, found {count}.");
    });
    return option;
}

// What a reader can do with: paths are of this machine.
static string Shortened(string argument) => Path.IsPathRooted(argument) || Path.Exists(argument)
    ? Path.GetFileName(Path.TrimEndingDirectorySeparator(argument)) : argument;
