using System.CommandLine;
using Microsoft.ML.CoLM;
using Samples;

namespace SweepSample;

/// <summary>The command line.</summary>
internal static class Arguments
{
    private static readonly Option<string> TextColumn = new("--text")
    {
        Description = "the texts' column in a file of tab-separated values",
        DefaultValueFactory = _ => "sentence",
    };

    private static readonly Option<string> LabelColumn = new("--label")
    {
        Description = "the labels' column in a file of tab-separated values",
        DefaultValueFactory = _ => "label",
    };

    private static readonly Option<SweepMetric> Metric = new("--metric")
    {
        Description = "what to judge by; without it, Loss for a file of texts alone and MicroAccuracy for one with labels",
    };

    private static readonly Option<double[]> Budget = new("--budget")
    {
        Description = "milliseconds a row, one or more: says what is best within them, and draws them",
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<int> BatchSize = new("--batch-size")
    {
        Description = "rows that are scored together where latency is measured",
        DefaultValueFactory = _ => 1,
    };

    private static readonly Option<FileInfo> Chart = new("--chart")
    {
        Description = "chart to write, as PNG and as SVG",
        DefaultValueFactory = _ => new FileInfo("sweep.png"),
    };

    public static RootCommand Command()
    {
        var zip = new Option<FileInfo>("--zip")
        {
            Description = "zip of a fitted pipeline; without it, QuickStart's model.zip, which is made where it is absent",
        }.AcceptExistingOnly();
        var data = new Option<FileInfo>("--data")
        {
            Description = "rows to judge by: JSON lines with \"text\" (.jsonl), or tab-separated values with names in the " +
                "first line; without it, stories of the sample's own",
        }.AcceptExistingOnly();
        var cascade = new Option<double[]>("--cascade")
        {
            Description = "tries cascades, too, that may be so far from all chains' metric: calibrated on one half of the " +
                "rows, and all is judged on the other",
            AllowMultipleArgumentsPerToken = true,
        };
        var command = new RootCommand("Sweeps the chain counts of a fitted model: which is good enough, and how fast is it?")
        {
            zip, data, Metric, TextColumn, LabelColumn, Budget, BatchSize, cascade, Chart, Search(), Formats(),
        };
        Budget.Validators.Add(result => AddErrorUnlessPositive(result, "--budget"));
        BatchSize.Validators.Add(result => AddErrorUnlessPositive(result, "--batch-size"));
        cascade.Validators.Add(result => AddErrorUnlessPositive(result, "--cascade"));
        Chart.Validators.Add(result =>
        {
            // Before the sweep, not after it.
            if (result.Tokens is [var token] && (Directory.Exists(token.Value) ||
                !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(token.Value)))))
            {
                result.AddError($"--chart must name a file in a folder that is there, found {token.Value}.");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.GetResult(zip) is not null && result.GetResult(data) is null)
                result.AddError("Give --data with --zip.");
        });
        SampleCommand.SetAction(command, (result, cancellation) => ModelSweep.Run(result.GetValue(zip), result.GetValue(data),
            Common(result), result.GetValue(cascade) ?? [], cancellation));
        return command;
    }

    private static Command Search()
    {
        var model = new Option<DirectoryInfo>("--model")
        {
            Description = "LLaMA or CoLM folder to grow and tune",
            Required = true,
        }.AcceptExistingOnly();
        var train = new Option<FileInfo>("--train")
        {
            Description = "labelled texts to train on, tab-separated",
            Required = true,
        }.AcceptExistingOnly();
        var validation = new Option<FileInfo>("--validation")
        {
            Description = "labelled texts to judge by",
            Required = true,
        }.AcceptExistingOnly();
        var rows = new Option<int>("--rows")
        {
            Description = "of the training texts, the first so many",
            DefaultValueFactory = _ => 4000,
        };
        var seconds = new Option<double>("--seconds")
        {
            Description = "when to end",
            DefaultValueFactory = _ => 600,
        };
        var checkpoint = new Option<DirectoryInfo>("--checkpoint")
        {
            Description = "folder to keep trials in: a search that was killed goes on from it; without it, none are kept",
        };
        var command = new Command("search", "Searches for how to tune a model: added chains, their start and learning rate.")
        {
            model, train, validation, rows, seconds, checkpoint, Metric, TextColumn, LabelColumn, Budget, BatchSize, Chart,
        };
        SampleCommand.SetAction(command, (result, cancellation) => SearchSweep.Run(result.GetRequiredValue(model).FullName,
            result.GetRequiredValue(train), result.GetRequiredValue(validation), result.GetValue(rows),
            result.GetValue(seconds), result.GetValue(checkpoint)?.FullName, Common(result), cancellation));
        return command;
    }

    private static Command Formats()
    {
        var model = new Option<DirectoryInfo>("--model")
        {
            Description = "LLaMA or CoLM folder whose weights are numbers",
            Required = true,
        }.AcceptExistingOnly();
        var data = new Option<FileInfo>("--data")
        {
            Description = "rows to judge by, as without a command",
        }.AcceptExistingOnly();
        var command = new Command("formats", "Sweeps weight formats beside chain counts.")
        {
            model, data, Metric, TextColumn, LabelColumn, Budget, BatchSize, Chart,
        };
        SampleCommand.SetAction(command, (result, cancellation) => FormatSweep.Run(
            result.GetRequiredValue(model).FullName, result.GetValue(data), Common(result), cancellation));
        return command;
    }

    private static Settings Common(ParseResult result) => new(
        result.GetResult(Metric) is { Implicit: false } ? result.GetValue(Metric) : null, result.GetRequiredValue(TextColumn),
        result.GetRequiredValue(LabelColumn), result.GetValue(Budget) ?? [], result.GetValue(BatchSize),
        result.GetRequiredValue(Chart).FullName);

    private static void AddErrorUnlessPositive(System.CommandLine.Parsing.OptionResult result, string name)
    {
        if (!result.Errors.Any() && result.Tokens.Any(token => double.TryParse(token.Value, out var value) && !(value > 0)))
            result.AddError($"{name} must be above 0.");
    }
}
