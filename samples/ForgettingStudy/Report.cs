using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.CoLM;
using Spectre.Console;

namespace ForgettingStudy;

/// <summary>The table: what each method reaches, what it costs and what it forgets.</summary>
/// <param name="settings">What was asked for.</param>
/// <param name="sets">The sentences.</param>
/// <param name="before">The base and the expanded model before tuning.</param>
/// <param name="recipes">Each method's recipe.</param>
/// <param name="runs">What was done so far.</param>
internal sealed class Report(
    Settings settings, SentenceSets sets, ExpansionResult before, IReadOnlyDictionary<Method, Recipe> recipes, SavedRun[] runs)
{
    private static readonly string[] PairHeader = ["", "points", "95 % interval", "told apart"];

    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    private int Scales => runs.Length == 0 ? 1 : runs.Max(run => run.Result.Judgement!.Right.Length);

    /// <summary>The table with what belongs to it, as Markdown.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        AddTable(text, Header(), Rows());
        text.AppendLine();
        AddTable(text, PairHeader, Pairs());
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
        foreach (var pair in Pairs())
            AnsiConsole.WriteLine($"{pair[0]}: {pair[1]} points, {pair[2]}; {PairHeader[3]}: {pair[3]}");
        foreach (var note in Notes())
            AnsiConsole.WriteLine(note);
    }

    private static void AddTable(StringBuilder text, string[] header, IEnumerable<string[]> rows)
    {
        text.AppendLine(Culture, $"| {string.Join(" | ", header)} |");
        text.AppendLine(Culture, $"| {string.Join(" | ", header.Select(_ => "---"))} |");
        foreach (var row in rows)
            text.AppendLine(Culture, $"| {string.Join(" | ", row)} |");
    }

    private string[] Header() =>
    [
        "",
        .. Enumerable.Range(1, Scales).Select(scale => $"accuracy, {Chains(scale)}"), "on what was chosen by",
        "trained parameters", "share", "s a step, first epoch", "later epochs", "peak memory, MiB", "minutes",
        "stories, chain count 1", "stories, all chains",
    ];

    private IEnumerable<string[]> Rows()
    {
        string[] nothing = [.. Enumerable.Repeat("", Scales + 7)];
        yield return ["the base, before", .. nothing, Loss(before.BaseLoss), Loss(before.BaseLoss)];
        yield return ["the expanded model, before", .. nothing, Story(before.LossAtOne, before.IsUnchanged),
            Loss(before.LossAtTop)];
        foreach (var method in settings.Methods)
        {
            RunResult[] own = [.. Of(method)];
            if (own.Length > 0)
                yield return Row(method, own, Array.ConvertAll(own, run => run.Judgement!));
        }
    }

    private string[] Row(Method method, RunResult[] own, Judgement[] judged) =>
    [
        own.Length == settings.Seeds ? method.Title : $"{method.Title} ({own.Length} of {settings.Seeds} seeds)",
        .. Enumerable.Range(0, Scales).Select(scale => !method.Trains(scale, judged[0].Right.Length) ? ""
            : Spread(judged.Select(run => 100 * run.Accuracies[scale]), "F2") + " %"),
        Spread(own.Select(run => 100 * run.Validations[^1].Accuracies[method.Judged]), "F2") + " %",
        own[0].TrainedParameters.ToString("N0", Culture),
        string.Create(Culture, $"{100.0 * own[0].TrainedParameters / own[0].Parameters:F1} %"),
        Spread(own.Select(run => run.FirstEpochStep), "F4"),
        own.Any(run => run.LaterEpochStep is null) ? "" : Spread(own.Select(run => run.LaterEpochStep!.Value), "F4"),
        Spread(own.Select(run => run.PeakMemory), "F0"),
        Spread(own.Select(run => run.Seconds / 60), "F1"),
        judged.All(run => run.IsUnchanged) ? Story(judged[0].StoriesAtOne, isUnchanged: true)
            : Changed(judged.Select(run => run.StoriesAtOne)),
        Changed(judged.Select(run => run.StoriesAtTop)),
    ];

    private IEnumerable<string> Notes()
    {
        yield return string.Create(Culture, $"Stories: mean loss of a token (natural log) on {before.Stories} stories, " +
            $"and what it is more than the base's. The expanded model has {before.Parameters:N0} parameters, the base " +
            $"{before.BaseParameters:N0}; the added chain ({settings.Chains} heads, {Keys()}) started as " +
            $"{Start()} and was trained on stories in {settings.ExpansionSteps} steps ({before.Seconds / 60:F1} minutes).");
        var seeds = settings.Seeds == 1 ? "One seed" : $"{settings.Seeds} seeds, mean ± deviation";
        var rows = settings.Rows is { } count ? string.Create(Culture, $"the first {count:N0} rows") : "all rows";
        var chosen = string.Join("; ", settings.Methods.Select(method => $"{method.Name} {recipes[method]}"));
        var weights = settings.RestoresBest ? "the best validation's" : "the last step's";
        yield return $"{seeds}; {rows}, {Counted(settings.Epochs, "epoch")} of batches of {settings.Batch}, {weights} weights; " +
            $"learning rate, pooling, head's rate, weight decay and label smoothing: {chosen}{Choice()}; adapters of rank {settings.LoraRank}, alpha " +
            $"{settings.LoraAlpha.ToString(Culture)}; {settings.DataType}. Each run in a process of its own: peak memory is what training's " +
            $"steps add to it, without validations. {Environment.ProcessorCount} cores, {Machine()}" +
            (settings.AtOnce == 1 ? "." : $"; {settings.AtOnce} runs at a time share the cores.");
        yield return Files();
    }

    private string Keys() => settings.KvSharing ? "the base's keys and values" : "keys and values of its own";

    private string Start() =>
        settings.Initialization == ChainInitialization.CopyFirstChain ? "a copy of the base" : "random weights";

    private string Choice() => Choices() <= 1 ? "" : string.Create(Culture,
        $" (of {List(settings.Rates)}; {string.Join(", ", settings.Poolings)}; x {List(settings.HeadRates)}; ") + string.Create(
        Culture, $"{List(settings.WeightDecays)}; {List(settings.LabelSmoothings)}, by the loss after ") + string.Create(Culture,
        $"{Counted(settings.Epochs, "epoch")} of the first {settings.TrialRows:N0} rows, seed 1)");

    private int Choices() => Math.Max(1, settings.Rates.Length) * settings.Poolings.Length * settings.HeadRates.Length *
        settings.WeightDecays.Length * settings.LabelSmoothings.Length;

    private static string List(double[] numbers) => string.Join(", ", numbers.Select(number => number.ToString(Culture)));

    private string Files()
    {
        var (overlap, judged) = (sets.Overlap, sets.Judge.Length);
        return string.Create(Culture, $"Judged by {judged:N0} rows: one accuracy has a standard error of about ") +
            string.Create(Culture, $"{100 * StandardError(judged):F1} points. {overlap.JudgedInTrain} of them ") +
            string.Create(Culture, $"stood in training rows, {overlap.ContainJudged} of which were left out. Settings were chosen ") +
            string.Create(Culture, $"by {sets.Validation.Length:N0} of the validation file's {overlap.ValidationRows:N0} rows, those ") +
            string.Create(Culture, $"that no training row contains; {overlap.PartsOfValidation:N0} of {overlap.TrainRows:N0} training ") +
            string.Create(Culture, $"rows are parts of them, and were left out. {overlap.PartsOfJudged:N0} of the ") +
            string.Create(Culture, $"{sets.Train.Length:N0} that remain are parts of judged rows: words and short phrases.");
    }

    // Of a share as large as those in the table.
    private double StandardError(int rows)
    {
        var share = runs.Length == 0 ? 0.5 : runs.Average(run => run.Result.Judgement!.Accuracies[Method.Of(run.Settings.Method).Judged]);
        return Math.Sqrt(share * (1 - share) / rows);
    }

    // Of the seeds that both methods have.
    private IEnumerable<string[]> Pairs()
    {
        for (var i = 0; i < settings.Methods.Length; i++)
        {
            for (var j = i + 1; j < settings.Methods.Length; j++)
            {
                var (first, second) = (settings.Methods[i], settings.Methods[j]);
                int[] seeds = [.. SeedsOf(first).Intersect(SeedsOf(second))];
                if (seeds.Length > 0)
                    yield return Pair(first, second, seeds);
            }
        }
    }

    private string[] Pair(Method first, Method second, int[] seeds)
    {
        var (own, other) = (Right(first, seeds), Right(second, seeds));
        var difference = Share(own) - Share(other);
        var (low, high) = PairedBootstrap.Interval(own, other);
        return [$"{first.Title} against {second.Title}", Points(100 * difference), $"{Points(100 * low)} to {Points(100 * high)}",
            low > 0 || high < 0 ? "yes" : "no"];
    }

    private static double Share(bool[][] right) => right.Average(rows => rows.Average(row => row ? 1.0 : 0));

    private int[] SeedsOf(Method method) =>
        [.. runs.Where(run => run.Settings.Method == method.Name).Select(run => run.Settings.Seed)];

    private bool[][] Right(Method method, int[] seeds) => Array.ConvertAll(seeds, seed => runs
        .First(run => run.Settings.Method == method.Name && run.Settings.Seed == seed)
        .Result.Judgement!.Right[method.Judged].Select(row => row == '1').ToArray());

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
