using System.Globalization;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Writes a setting's value for people to read, exactly, whatever the culture.</summary>
internal static class SettingText
{
    public static string Of(object? value) => value switch
    {
        null => "",
        string text => text,
        bool yes => yes ? "true" : "false",
        Enum named when named.ToString() is var names && (char.IsLetter(names[0]) || names[0] == '_') => names,
        Enum unnamed => CSharpLiteral.Of(unnamed),
        Array { Rank: 1 } values => $"[{string.Join(", ", values.Cast<object?>().Select(Of))}]",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
