using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A published task's items as rows.</summary>
internal static class BenchmarkView
{
    private static readonly string[] Sentence = [nameof(BenchmarkItem.Text)];
    private static readonly string[] Sentences = [nameof(BenchmarkItem.Text), nameof(BenchmarkItem.SecondText)];
    private static readonly string[] Question =
        [nameof(BenchmarkItem.Context), nameof(BenchmarkItem.Choices), nameof(BenchmarkItem.Label)];

    /// <summary>The rows, with the columns that the task has.</summary>
    public static IDataView Create(MLContext mlContext, LanguageBenchmark benchmark, IReadOnlyList<BenchmarkItem> items)
    {
        string[] members = benchmark switch
        {
            LanguageBenchmark.WinoGrande =>
                [nameof(BenchmarkItem.Contexts), nameof(BenchmarkItem.Choices), nameof(BenchmarkItem.Label)],
            LanguageBenchmark.StsB => [.. Sentences, nameof(BenchmarkItem.Similarity)],
            _ when GlueTask.Of(benchmark) is { } glue => [.. glue.SecondText is null ? Sentence : Sentences, .. Question],
            _ => Question,
        };
        var schema = SchemaDefinition.Create(typeof(BenchmarkItem));
        schema.RemoveAll(column => !members.Contains(column.MemberName));
        foreach (var column in schema)
        {
            column.ColumnName = column.MemberName switch
            {
                nameof(BenchmarkItem.Contexts) => nameof(BenchmarkItem.Context),
                nameof(BenchmarkItem.Similarity) => nameof(BenchmarkItem.Label),
                var name => name,
            };
        }
        return mlContext.Data.LoadFromEnumerable(items, schema);
    }
}
