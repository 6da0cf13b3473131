using System.Reflection;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Schema shapes, which ML.NET makes itself when it puts a pipeline together.</summary>
internal static class Shapes
{
    public static SchemaShape Of(DataViewSchema schema) => (SchemaShape)typeof(SchemaShape)
        .GetMethod("Create", BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)!
        .Invoke(null, [schema])!;

    /// <summary>Names, kinds and types of the columns, in the order of their names.</summary>
    public static string[] Describe(SchemaShape shape) => [.. shape
        .OrderBy(column => column.Name, StringComparer.Ordinal)
        .Select(column => $"{column.Name}: {column.Kind} of {column.ItemType}, key {column.IsKey}, " +
            $"annotated with {string.Join("; ", Describe(column.Annotations))}")];
}
