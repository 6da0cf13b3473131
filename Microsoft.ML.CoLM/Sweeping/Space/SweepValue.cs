using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a candidate's settings can hold: bool, numbers, text, enumerations, arrays of these, and nothing.</summary>
internal static class SweepValue
{
    private static readonly Type[] Scalars =
    [
        typeof(bool), typeof(string), typeof(byte), typeof(sbyte), typeof(short), typeof(ushort), typeof(int), typeof(uint),
        typeof(long), typeof(ulong), typeof(float), typeof(double), typeof(decimal),
    ];

    /// <summary>Refuses values that could not be told from others, or not be written and read again.</summary>
    /// <exception cref="ArgumentException">The message names the setting.</exception>
    public static void Check(string name, Type type, object? value)
    {
        if (Nullable.GetUnderlyingType(type) is { } own && IsScalar(own))
            return;
        if (!IsScalar(type) && !(type.IsSZArray && IsScalar(type.GetElementType()!)))
        {
            throw new ArgumentException(
                $"The values of '{name}' must be bool, numbers, text, enums or arrays of these, found {type}.", nameof(value));
        }
        if (value is null || (value is string?[] texts && texts.Contains(null)))
            throw new ArgumentException($"The values of '{name}' must not be null.", nameof(value));
    }

    /// <summary>Refuses a setting without a name.</summary>
    public static void CheckName(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw new ArgumentException("The name of a setting is empty.", nameof(name));
    }

    /// <summary>A checked value as settings keep it.</summary>
    public static object Kept<T>(T value) => (object?)value ?? new NoValue(Nullable.GetUnderlyingType(typeof(T))!);

    /// <summary>Whether a value that is kept is one of a type.</summary>
    public static bool IsOf(object kept, Type type) => kept.GetType() == type ||
        (Nullable.GetUnderlyingType(type) is { } own && (kept.GetType() == own || kept is NoValue nothing && nothing.Type == own));

    /// <summary>What later changes of an array do not reach.</summary>
    public static object Copy(object value) => value is Array array ? array.Clone() : value;

    /// <summary>The value as text, exact, and the same in every culture.</summary>
    public static string TextOf(object value) => value switch
    {
        Array array => $"[{string.Join(", ", array.Cast<object>().Select(ElementText))}]",
        NoValue => "null",
        bool isTrue => isTrue ? "true" : "false",
        Enum or string => value.ToString()!,
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        double number => number.ToString("R", CultureInfo.InvariantCulture),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new ArgumentException($"A setting's value must not be of type {value.GetType()}.", nameof(value)),
    };

    private static bool IsScalar(Type type) => type.IsEnum || Scalars.Contains(type);

    // In quotes: a text may have the comma that stands between two.
    private static string ElementText(object element) =>
        element is string text ? JsonSerializer.Serialize(text) : TextOf(element);
}
