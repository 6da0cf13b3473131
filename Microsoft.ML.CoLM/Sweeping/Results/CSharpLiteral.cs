using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Writes values as C# has them, exactly, whatever the culture.</summary>
internal static class CSharpLiteral
{
    /// <summary>A value of a search space: bool, number, text, enum, or an array of these.</summary>
    public static string Of(object value) => value switch
    {
        NoValue nothing => $"({TypeName(nothing.Type)}?)null",
        bool yes => yes ? "true" : "false",
        string text => Text(text),
        Enum named => Enumeration(named),
        double number => Fraction(number),
        float number => Fraction(number),
        decimal number => number.ToString(CultureInfo.InvariantCulture) + "m",
        int number => number.ToString(CultureInfo.InvariantCulture),
        uint number => number.ToString(CultureInfo.InvariantCulture) + "U",
        long number => number.ToString(CultureInfo.InvariantCulture) + "L",
        ulong number => number.ToString(CultureInfo.InvariantCulture) + "UL",
        byte or sbyte or short or ushort =>
            $"({TypeName(value.GetType())}){((IFormattable)value).ToString(null, CultureInfo.InvariantCulture)}",
        Array { Length: 0 } => $"new {TypeName(value.GetType().GetElementType()!)}[0]",
        Array values => $"new[] {{ {string.Join(", ", values.Cast<object>().Select(Of))} }}",
        _ => Text(SweepValue.TextOf(value)),
    };

    /// <summary>Text in quotes; what cannot be seen, or would end the line, is escaped.</summary>
    public static string Text(string text)
    {
        var literal = new StringBuilder("\"");
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogatePair(text, i))
                literal.Append(text, i++, 2);
            else
                literal.Append(Escaped(text[i]));
        }
        return literal.Append('"').ToString();
    }

    private static string Escaped(char character) => character switch
    {
        '"' => "\\\"",
        '\\' => @"\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ when char.GetUnicodeCategory(character) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse =>
            "\\u" + ((int)character).ToString("X4", CultureInfo.InvariantCulture),
        _ => character.ToString(),
    };

    private static string Fraction(double number) => number switch
    {
        double.NaN => "double.NaN",
        double.PositiveInfinity => "double.PositiveInfinity",
        double.NegativeInfinity => "double.NegativeInfinity",
        _ => WithPoint(number.ToString("R", CultureInfo.InvariantCulture)),
    };

    private static string Fraction(float number) => number switch
    {
        float.NaN => "float.NaN",
        float.PositiveInfinity => "float.PositiveInfinity",
        float.NegativeInfinity => "float.NegativeInfinity",
        _ => number.ToString("R", CultureInfo.InvariantCulture) + "f",
    };

    // Digits alone would be an int.
    private static string WithPoint(string number) => number.AsSpan().ContainsAny(".E") ? number : number + ".0";

    private static string Enumeration(Enum value)
    {
        var type = value.GetType();
        if (value.ToString() is var names && (char.IsLetter(names[0]) || names[0] == '_'))
            return string.Join(" | ", names.Split(", ").Select(name => $"{TypeName(type)}.{Identifier(name)}"));
        var number = Enum.GetUnderlyingType(type) == typeof(ulong)
            ? Convert.ToUInt64(value, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)
            : Convert.ToInt64(value, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
        return $"({TypeName(type)})({number})";
    }

    // All keywords are of small letters.
    private static string Identifier(string name) => char.IsLower(name[0]) ? "@" + name : name;

    private static string TypeName(Type type)
    {
        if (type.DeclaringType is { } outer)
            return $"{TypeName(outer)}.{type.Name}";
        return type.IsEnum ? type.Name : Type.GetTypeCode(type) switch
        {
            TypeCode.Boolean => "bool",
            TypeCode.Int16 => "short",
            TypeCode.UInt16 => "ushort",
            TypeCode.Int32 => "int",
            TypeCode.UInt32 => "uint",
            TypeCode.Int64 => "long",
            TypeCode.UInt64 => "ulong",
            TypeCode.Single => "float",
            TypeCode.Object => type.Name,
            _ => type.Name.ToLowerInvariant(),
        };
    }
}
