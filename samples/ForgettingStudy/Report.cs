using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.CoLM;
using Spectre.Console;

namespace ForgettingStudy;

/// <summary>The table: what each method reaches, what it costs and what it forgets.</summary>
/// <param name="settings">What was asked for.</param>
/// <param name="before">The base and the expanded model before tuning.</param>
/// <param name="learningRates">Each method's learning rate.</param>
/// <param name="runs">What was done so far.</param>
internal sealed class Report(
    Settings settings, ExpansionResult before, IReadOnlyDictionary<Method, double> learningRates, SavedRun[] runs)
{
    // What Chain Tuning may be behind full fine-tuning of the same model, in points.
    private const double Margin = 1;

    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    private int Scales => runs.Length == 0 ? 1 : runs.Max(run => run.Result.Accuracies.Length);

    /// <summary>The table with what belongs to it, as Markdown.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        var header = Header();
        text.AppendLine(Culture, $"| {string.Join(" | ", header)} |");
        text.AppendLine(Culture, $"| {string.Join(" | ", header.Select(_ => "---"))} |");
        foreach (var row in Rows())
            text.AppendLine(Culture, $"| {string.Join(" | ", row)} |");
        foreach (var note in Notes())
            text.AppendLine().AppendLine(note);
        text.AppendLine().AppendLine("```").AppendLine(settings.Command).AppendLine("```");
        return text.ToString();
    }

    /// <summary>The same on the console, which is narrow: a column for each method.</summary>
    public void Print()
    {
        var header = Header();
        string[][] rows = [.. Rows()];
        var table = new Table().Border(TableBorder.Simple).AddColumn("");
        foreach (var row in rows)
            table.AddColumn(new TableColumn(row[0].EscapeMarkup()).RightAligned());
        for (var i = 1; i < header.Length; i++)
            table.AddRow([header[i], .. rows.Select(row => row[i].EscapeMarkup())]);
        AnsiConsole.Write(table);
        foreach (var note in Notes())
            AnsiConsole.WriteLine(note);
    }

    private string[] Header() =>
    [
        "",
        .. Enumerable.Range(1, Scales).Select(scale => $"accuracy, {Chains(scale)}"),
        "trained parameters", "share", "s a step, first epoch", "later epochs", "peak memory, MiB", "minutes",
        "stories, chain count 1", "stories, all chains",
    ];

    private IEnumerable<string[]> Rows()
    {
        string[] nothing = [.. Enumerable.Repeat("", Scales + 6)];
        yield return ["the base, before", .. nothing, Loss(before.BaseLoss), Loss(before.BaseLoss)];
        yield return ["the expanded model, before", .. nothing, Story(before.LossAtOne, before.IsUnchanged),
            Loss(before.LossAtTop)];
        foreach (var method in settings.Methods)
        {
            RunResult[] own = [.. Of(method)];
            if (own.Length > 0)
                yield return Row(method, own);
        }
    }

    private string[] Row(Method method, RunResult[] own) =>
    [
        own.Length == settings.Seeds ? method.Title : $"{method.Title} ({own.Length} of {settings.Seeds} seeds)",
        .. Enumerable.Range(0, Scales).Select(scale => !method.Trains(scale, own[0].Accuracies.Length) ? ""
            : Spread(own.Select(run => 100 * run.Accuracies[scale]), "F2") + " %"),
        own[0].TrainedParameters.ToString("N0", Culture),
        string.Create(Culture, $"{100.0 * own[0].TrainedParameters / own[0].Parameters:F1} %"),
        Spread(own.Select(run => run.FirstEpochStep), "F4"),
        own.Any(run => run.LaterEpochStep is null) ? "" : Spread(own.Select(run => run.LaterEpochStep!.Value), "F4"),
        Spread(own.Select(run => run.PeakMemory), "F0"),
        Spread(own.Select(run => run.Seconds / 60), "F1"),
        own.All(run => run.IsUnchanged) ? Story(own[0].StoriesAtOne, isUnchanged: true)
            : Changed(own.Select(run => run.StoriesAtOne)),
        Changed(own.Select(run => run.StoriesAtTop)),
    ];

    private IEnumerable<string> Notes()
    {
        yield return string.Create(Culture, $"Stories: mean loss of a token (natural log) on {before.Stories} stories, " +
            $"and what it is more than the base's. The expanded model has {before.Parameters:N0} parameters, the base " +
            $"{before.BaseParameters:N0}; the added chain ({settings.Chains} heads, {Keys()}) started as " +
            $"{Start()} and was trained on stories in {settings.ExpansionSteps} steps ({before.Seconds / 60:F1} minutes).");
        var seeds = settings.Seeds == 1 ? "One seed" : $"{settings.Seeds} seeds, mean ± deviation";
        var rows = settings.Rows is { } count ? string.Create(Culture, $"the first {count:N0} rows") : "all rows";
        var rates = string.Join(", ", settings.Methods.Select(method => string.Create(
            Culture, $"{method.Name} {learningRates[method]:0.#####}")));
        yield return $"{seeds}; {rows}, {Counted(settings.Epochs, "epoch")} of batches of {settings.Batch}, the last " +
            $"step's weights; learning rates: {rates}{Choice()}; adapters of rank {settings.LoraRank}, alpha " +
            $"{settings.LoraAlpha.ToString(Culture)}; {settings.DataType}. Each run in a process of its own: peak memory is what training's " +
            $"steps add to it, without validations. {Environment.ProcessorCount} cores, {Machine()}" +
            (settings.AtOnce == 1 ? "." : $"; {settings.AtOnce} runs at a time share the cores.");
        if (Compared() is { } compared)
            yield return compared;
    }

    private string Keys() => settings.KvSharing ? "the base's keys and values" : "keys and values of its own";

    private string Start() =>
        settings.Initialization == ChainInitialization.CopyFirstChain ? "a copy of the base" : "random weights";

    private string Choice() => settings.Rates.Length == 0 ? "" : string.Create(Culture,
        $" (of {string.Join(", ", settings.Rates)}, by the loss on the training file's last {Plan.HeldOutRows:N0} rows " +
        $"after {Counted(settings.Epochs, "epoch")} of its first {Plan.TrialRows:N0}, seed 1)");

    private string? Compared()
    {
        if (Accuracy(Method.ChainTuning) is not { } tuned)
            return null;
        List<string> parts = [];
        if (Accuracy(Method.FullExpanded) is { } full)
        {
            parts.Add($"{Points(tuned - full)} to full fine-tuning of the expanded model " +
                (tuned >= full - Margin ? $"(at most {Margin} behind: yes)" : $"(at most {Margin} behind: no)"));
        }
        if (Accuracy(Method.Lora) is { } lora)
            parts.Add($"{Points(tuned - lora)} to LoRA on the base (more: {(tuned > lora ? "yes" : "no")})");
        return parts.Count == 0 ? null : $"Chain Tuning with all chains, in points of accuracy: {string.Join("; ", parts)}.";
    }

    private double? Accuracy(Method method)
    {
        double[] own = [.. Of(method).Select(run => 100 * run.Accuracies[^1])];
        return own.Length == 0 ? null : own.Average();
    }

    private IEnumerable<RunResult> Of(Method method) =>
        runs.Where(run => run.Settings.Method == method.Name).Select(run => run.Result);

    private string Story(double loss, bool isUnchanged) =>
        isUnchanged ? $"{Loss(loss)}, unchanged to the bit" : Changed([loss]);

    private string Changed(IEnumerable<double> losses)
    {
        double[] all = [.. losses];
        return $"{Spread(all, "F4")} ({(all.Average() - before.BaseLoss).ToString("+0.0000;-0.0000", Culture)})";
    }

    private static string Spread(IEnumerable<double> values, string format)
    {
        double[] all = [.. values];
        var mean = all.Average().ToString(format, Culture);
        return all.Length == 1 ? mean : $"{mean} ± {Statistics.Deviation(all).ToString(format, Culture)}";
    }

    private static string Loss(double loss) => loss.ToString("F4", Culture);

    private static string Points(double points) => points.ToString("+0.00;-0.00", Culture);

    private static string Chains(int count) => Counted(count, "chain");

    private static string Counted(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}s";

    private static string Machine() => $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSArchitecture}";
}
