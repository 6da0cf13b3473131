namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Reads published tasks' files.</summary>
internal static class BenchmarkFile
{
    /// <summary>The items of a task's file, in its order.</summary>
    /// <param name="benchmark">The task.</param>
    /// <param name="path">The file.</param>
    /// <param name="labelsPath">PIQA's file of labels; null where the items have them.</param>
    /// <param name="warn">Told of rows that are left out.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no file of the task.</exception>
    public static List<BenchmarkItem> Read(
        LanguageBenchmark benchmark, string path, string? labelsPath, Action<string> warn)
    {
        var items = benchmark switch
        {
            LanguageBenchmark.HellaSwag => TaskItems.Read(path, HellaSwagItems.Read),
            LanguageBenchmark.OpenBookQA => TaskItems.Read(path, QuestionItems.ReadOpenBook),
            LanguageBenchmark.ArcEasy or LanguageBenchmark.ArcChallenge => TaskItems.Read(path, QuestionItems.ReadArc),
            LanguageBenchmark.WinoGrande => TaskItems.Read(path, WinoGrandeItems.Read),
            LanguageBenchmark.BoolQ => TaskItems.Read(path, BoolQItems.Read),
            LanguageBenchmark.Piqa => PiqaItems.Read(path, labelsPath),
            LanguageBenchmark.SciQ => TaskItems.Read(path, SciQItems.Read),
            _ => ReadGlue(benchmark, path, warn),
        };
        return items.Count > 0 ? items : throw new InvalidDataException($"{path}: expected items of {benchmark}, found none.");
    }

    private static List<BenchmarkItem> ReadGlue(LanguageBenchmark benchmark, string path, Action<string> warn)
    {
        var task = GlueTask.Of(benchmark) ?? throw new ArgumentOutOfRangeException(nameof(benchmark), benchmark, "No known task.");
        return TaskItems.AreIn(path)
            ? TaskItems.Read(path, new GlueItems(task).Read)
            : new GlueTable(task, path, warn).Read();
    }
}
