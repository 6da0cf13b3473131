using Spectre.Console;

namespace ForgettingStudy;

/// <summary>Does all runs that are not done yet, and writes the table and the chart after each.</summary>
internal sealed class Study(Settings settings)
{
    private readonly StudyDocument _document = StudyDocument.Load(settings.Json);

    public void Run(CancellationToken cancellation)
    {
        CheckFiles();
        var plan = new Plan(settings);
        var (expansion, folder) = (plan.Expansion, ExpandedFolder(plan.Expansion));
        var before = Expand(expansion, folder, cancellation);
        var rates = settings.Methods.ToDictionary(
            method => method, method => LearningRate(method, plan.Trials(method), folder, cancellation));
        var runs = plan.Runs(rates);
        Write(before, rates, runs);
        foreach (var run in runs)
        {
            if (Do(run, "", folder, cancellation))
                Write(before, rates, runs);
        }
        Report(before, rates, runs).Print();
        AnsiConsole.WriteLine($"Saved {settings.Out}, {settings.Json} and {settings.Chart}.");
    }

    // Its name tells all that it depends on.
    private string ExpandedFolder(ExpansionSettings expansion) =>
        $"{settings.Json}.expanded-{expansion.Chains}-{(expansion.KvSharing ? "shared" : "own")}-" +
        $"{expansion.Initialization}-{expansion.Steps}-{expansion.Inputs}";

    // Before the trainings, not after them.
    private void CheckFiles()
    {
        WholeFile.Check("--out", settings.Out);
        WholeFile.Check("--json", settings.Json);
        WholeFile.Check("--chart", settings.Chart);
        foreach (var file in new[] { settings.Files.StoriesTrain, settings.Files.StoriesValidation })
            _ = StoryFile.Read(file);
        foreach (var file in new[] { settings.Files.Train, settings.Files.Validation })
            _ = SentenceFile.Read(file);
    }

    private ExpansionResult Expand(ExpansionSettings expansion, string folder, CancellationToken cancellation)
    {
        if (_document.Find(expansion) is { } known && Directory.Exists(folder))
            return known;
        var found = Work("Expansion", new(settings.Files, folder, expansion, Run: null), cancellation).Expansion!;
        _document.Expansions.RemoveAll(saved => saved.Settings == expansion);
        _document.Expansions.Add(new(expansion, found));
        _document.Save(settings.Json);
        return found;
    }

    // The one with the smallest loss on rows that are neither trained on nor in the table.
    private double LearningRate(Method method, RunSettings[] trials, string folder, CancellationToken cancellation)
    {
        foreach (var trial in trials)
            _ = Do(trial, $", learning rate {trial.LearningRate}", folder, cancellation);
        return trials.MinBy(trial => _document.Find(trial)!.Validations[^1].Losses[^1])?.LearningRate ??
            settings.LearningRate ?? method.LearningRate;
    }

    /// <summary>Does a run, unless it is done.</summary>
    private bool Do(RunSettings run, string remark, string folder, CancellationToken cancellation)
    {
        if (_document.Find(run) is not null)
            return false;
        var title = $"{Method.Of(run.Method).Title}, seed {run.Seed}{remark}";
        var found = Work(title, new(settings.Files, folder, Expansion: null, run), cancellation).Run!;
        _document.Runs.Add(new(run, found));
        _document.Save(settings.Json);
        return true;
    }

    private static WorkerMessage Work(string title, WorkerRequest request, CancellationToken cancellation) =>
        AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(),
                new RemainingTimeColumn())
            .Start(display =>
            {
                var bar = display.AddTask(title, maxValue: 1);
                var result = Worker.Run(request, done => bar.Value = done, cancellation);
                bar.Value = 1;
                return result;
            });

    private Report Report(ExpansionResult before, Dictionary<Method, double> rates, RunSettings[] runs) =>
        new(settings, before, rates, Done(runs));

    private void Write(ExpansionResult before, Dictionary<Method, double> rates, RunSettings[] runs)
    {
        WholeFile.Write(settings.Out, Report(before, rates, runs).ToMarkdown());
        if (Done(runs) is { Length: > 0 } done)
            new Chart(done).Save(settings.Chart);
    }

    private SavedRun[] Done(RunSettings[] runs) => [.. runs
        .Select(run => (Settings: run, Result: _document.Find(run)))
        .Where(run => run.Result is not null)
        .Select(run => new SavedRun(run.Settings, run.Result!))];
}
