using System.Collections;
using System.Globalization;
using System.Reflection;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The options that decide what a training ends with, as readable text.</summary>
internal static class DecisiveOptions
{
    /// <summary>How an option appears that is not given.</summary>
    public const string None = "none";

    // Names that options had when checkpoints were written which are there still.
    private static readonly Dictionary<string, string> FormerNames = new()
    {
        ["FrozenFeatureMemory"] = "FrozenFeatureMemoryBytes",
        ["FrozenFeatureDisk"] = "FrozenFeatureDiskBytes",
    };

    /// <summary>
    /// Every option by its name: numbers, enumerations, texts, lists of them, and the settings of objects of this library
    /// under names such as <c>Architecture.HiddenSize</c>.
    /// </summary>
    /// <remarks>
    /// A new option is one of them unless it is marked with <see cref="KeepsResultAttribute"/>. Weights and rows are not:
    /// they are compared by what they hold.
    /// </remarks>
    public static SortedDictionary<string, string> Of(TrainingOptions options)
    {
        var texts = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["Estimator"] = options.GetType().DeclaringType?.Name ?? options.GetType().Name,
        };
        Add(texts, "", options);
        if (options.MaxSteps is not null)
            texts.Remove(nameof(options.Epochs)); // which are ignored then
        return texts;
    }

    /// <summary>What differs, for example <c>BatchSize was 16 and is 8</c>; empty where nothing does.</summary>
    public static string Differences(
        IReadOnlyDictionary<string, string> before, IReadOnlyDictionary<string, string> now)
    {
        before = before.DistinctBy(option => FormerNames.GetValueOrDefault(option.Key, option.Key))
            .ToDictionary(option => FormerNames.GetValueOrDefault(option.Key, option.Key), option => option.Value);
        var names = before.Keys.Union(now.Keys).Order(StringComparer.Ordinal);
        return string.Join(", ", names
            .Select(name => (name, Was: Find(before, name), Is: Find(now, name)))
            .Where(option => option.Was != option.Is)
            .Select(option => $"{option.name} was {option.Was} and is {option.Is}"));
    }

    /// <summary>The text of an option, also of one that is not given.</summary>
    public static string Find(IReadOnlyDictionary<string, string> options, string name) =>
        options.TryGetValue(name, out var text) ? text : None;

    private static void Add(SortedDictionary<string, string> texts, string prefix, object options)
    {
        foreach (var property in options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (property.GetIndexParameters().Length > 0 || property.IsDefined(typeof(KeepsResultAttribute)))
                continue;
            var name = prefix + property.Name;
            if (property.GetValue(options) is not { } value)
                continue;
            if (TextOf(value) is { } text)
                texts.Add(name, text);
            else if (IsSettings(value))
                Add(texts, name + ".", value);
        }
    }

    private static string? TextOf(object value) => value switch
    {
        string or Enum => value.ToString(),
        IConvertible number => number.ToString(CultureInfo.InvariantCulture),
        IEnumerable list when ListOf(list) is { } texts => $"[{string.Join(", ", texts)}]",
        _ => null,
    };

    private static List<string>? ListOf(IEnumerable list)
    {
        var texts = new List<string>();
        foreach (var element in list)
        {
            if (element is null || TextOf(element) is not { } text)
                return null;
            texts.Add(text);
        }
        return texts;
    }

    // Models and transformers, which own weights, are disposable.
    private static bool IsSettings(object value) =>
        value.GetType().Assembly == typeof(DecisiveOptions).Assembly && value is not (IDisposable or Delegate);
}
