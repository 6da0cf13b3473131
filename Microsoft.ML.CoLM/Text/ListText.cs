using System.Globalization;

namespace Microsoft.ML.CoLM.Text;

/// <summary>Lists as people read them, in every culture alike.</summary>
internal static class ListText
{
    /// <summary>For example <c>1, 2.5</c>.</summary>
    public static string Of<T>(IEnumerable<T> values, string? format = null)
        where T : IFormattable =>
        string.Join(", ", values.Select(value => value.ToString(format, CultureInfo.InvariantCulture)));

    /// <summary>For example <c>, losses 1.2500, 1.5000</c> behind other figures; nothing for an empty list.</summary>
    public static string Named(string name, IReadOnlyList<double> values) =>
        values.Count == 0 ? "" : $", {name} {Of(values, "F4")}";
}
