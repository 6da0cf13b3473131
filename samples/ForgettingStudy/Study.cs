using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Spectre.Console;

namespace ForgettingStudy;

/// <summary>Does all runs that are not done yet, and writes the table and the chart after each.</summary>
internal sealed class Study(Settings settings)
{
    private readonly StudyDocument _document = StudyDocument.Load(settings.Json);
    private readonly SentenceSets _sets = SentenceSets.Read(settings.Files, settings.LeavesOutOverlap);

    public void Run(CancellationToken cancellation)
    {
        CheckFiles();
        var plan = new Plan(settings);
        var (expansion, folder) = (plan.Expansion, ExpandedFolder(plan.Expansion));
        var before = Expand(expansion, folder, cancellation);
        var trials = settings.Methods.ToDictionary(method => method, plan.Trials);
        Do([.. trials.Values.SelectMany(own => own)], folder, done: () => { }, cancellation);
        var recipes = trials.ToDictionary(own => own.Key, own => Chosen(own.Key, own.Value) ?? plan.Given(own.Key));
        var runs = plan.Runs(recipes);
        Write(before, recipes, runs);
        Do(runs, folder, done: () => Write(before, recipes, runs), cancellation);
        Report(before, recipes, runs).Print();
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
    }

    private ExpansionResult Expand(ExpansionSettings expansion, string folder, CancellationToken cancellation)
    {
        if (_document.Find(expansion) is { } known && Directory.Exists(folder))
            return known;
        var request = new WorkerRequest(settings.Files, folder, expansion, Run: null);
        var found = Display()
            .Start(display => Work(display, "Expansion", request, threads: null, cancellation)).Expansion!;
        _document.Expansions.RemoveAll(saved => saved.Settings == expansion);
        _document.Expansions.Add(new(expansion, found));
        _document.Save(settings.Json);
        return found;
    }

    // The one with the smallest loss on rows that are neither trained on nor in the table.
    private Recipe? Chosen(Method method, RunSettings[] trials) =>
        trials.MinBy(trial => _document.Find(trial)!.Validations[^1].Losses[method.Judged])?.Recipe;

    /// <summary>Does the runs that are not done yet, and saves each as it ends.</summary>
    private void Do(RunSettings[] runs, string folder, Action done, CancellationToken cancellation)
    {
        RunSettings[] left = [.. runs.Where(run => _document.Find(run) is null).Distinct()];
        if (left.Length == 0)
            return;
        int? threads = settings.AtOnce == 1 ? null : Math.Max(1, Environment.ProcessorCount / settings.AtOnce);
        var order = new ParallelOptions { MaxDegreeOfParallelism = settings.AtOnce, CancellationToken = cancellation };
        // One after the other is handed out, the first first.
        var queue = Partitioner.Create(left, EnumerablePartitionerOptions.NoBuffering);
        try
        {
            Display().Start(display => Parallel.ForEach(queue, order, run =>
            {
                var title = $"{Method.Of(run.Method).Title}, seed {run.Seed}, {run.Recipe}";
                var request = new WorkerRequest(settings.Files, folder, Expansion: null, run);
                var found = Work(display, title, request, threads, cancellation).Run!;
                lock (_document)
                {
                    _document.Runs.Add(new(run, found));
                    _document.Save(settings.Json);
                    done();
                }
            }));
        }
        catch (AggregateException e)
        {
            cancellation.ThrowIfCancellationRequested();
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private static Progress Display() => AnsiConsole.Progress().HideCompleted(true)
        .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn());

    private static WorkerMessage Work(
        ProgressContext display, string title, WorkerRequest request, int? threads, CancellationToken cancellation)
    {
        var bar = display.AddTask(title, maxValue: 1);
        var result = Worker.Run(request, threads, done => bar.Value = done, cancellation);
        bar.Value = 1;
        return result;
    }

    private Report Report(ExpansionResult before, Dictionary<Method, Recipe> recipes, RunSettings[] runs) =>
        new(settings, _sets, before, recipes, Done(runs));

    private void Write(ExpansionResult before, Dictionary<Method, Recipe> recipes, RunSettings[] runs)
    {
        WholeFile.Write(settings.Out, Report(before, recipes, runs).ToMarkdown());
        if (Done(runs) is { Length: > 0 } done)
            new Chart(done).Save(settings.Chart);
    }

    private SavedRun[] Done(RunSettings[] runs) => [.. runs
        .Select(run => (Settings: run, Result: _document.Find(run)))
        .Where(run => run.Result is not null)
        .Select(run => new SavedRun(run.Settings, run.Result!))];
}
