using System.Text.RegularExpressions;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using static Microsoft.ML.CoLM.LanguageBenchmark;

namespace Evaluate;

/// <summary>Finds the eight commonsense tasks in a folder of published files, by the names of files and folders.</summary>
internal static class TaskFiles
{
    private const string Validation = "val|dev";
    private const string Test = "test";

    // In the order of published tables, whose accuracies are acc_norm where the harness has it.
    private static readonly (LanguageBenchmark Task, string Name, string Words, string Split, bool IsNormalized)[] Known =
    [
        (HellaSwag, "Hella-\nSwag", "hellaswag", Validation, true), (OpenBookQA, "OBQA", "openbook|obqa", Test, true),
        (WinoGrande, "Wino-\nGrande", "winogrande", Validation, false), (ArcEasy, "ARC-e", "arc.*easy", Test, true),
        (ArcChallenge, "ARC-c", "arc.*challenge", Test, true), (BoolQ, "BoolQ", "boolq", Validation, false),
        (Piqa, "PIQA", "piqa|physicaliqa", Validation, true), (SciQ, "SciQ", "sciq", Test, true),
    ];

    /// <summary>The tasks that are there; says which files they are from and which are missing.</summary>
    public static IReadOnlyList<ChoiceTask> Load(MLContext mlContext, DirectoryInfo folder)
    {
        List<ChoiceTask> tasks = [];
        List<string> missing = [];
        foreach (var (task, name, words, split, isNormalized) in Known)
        {
            if (Find(folder, words, split, "json", "jsonl") is not { } path)
            {
                missing.Add($"{task}");
                continue;
            }
            var labels = task == Piqa ? Find(folder, $"({words}).*label", split, "lst", "txt") : null;
            tasks.Add(new(name, mlContext.CoLM().LoadBenchmark(task, path, labels), isNormalized));
            Console.WriteLine($"{task}: {path}{(labels is null ? "" : $", {labels}")}");
        }
        if (tasks.Count == 0)
            throw new FileNotFoundException($"{folder.FullName} has no file of a known task: {string.Join(", ", missing)}.");
        Console.WriteLine(missing.Count == 0 ? "The mean is over all eight tasks."
            : $"Not found: {string.Join(", ", missing)}. The mean is over {tasks.Count} of {Known.Length} tasks.");
        return tasks;
    }

    // The one file with such a name, or of several the one of the split that published accuracies are of.
    private static string? Find(DirectoryInfo folder, string words, string split, params string[] extensions)
    {
        string[] found = [.. Directory.EnumerateFiles(folder.FullName, "*", SearchOption.AllDirectories)
            .Where(path => extensions.Contains(Path.GetExtension(path).TrimStart('.')) &&
                Regex.IsMatch(Path.GetRelativePath(folder.FullName, path), words, RegexOptions.IgnoreCase))
            .Order(StringComparer.Ordinal)];
        string[] ofSplit = [.. found.Where(path => Regex.IsMatch(Path.GetFileName(path), split, RegexOptions.IgnoreCase))];
        found = found.Length > 1 && ofSplit.Length > 0 ? ofSplit : found;
        return found.Length < 2 ? found.FirstOrDefault() : throw new InvalidDataException(
            $"There are several files that may be the task's: {string.Join(", ", found)}. Leave one there.");
    }
}
