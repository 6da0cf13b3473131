using System.Globalization;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A type that the values of a key have, and their text, which gives the same values again.</summary>
internal abstract class ClassValueKind
{
    private static readonly ClassValueKind[] All =
    [
        new ClassValueKind<ReadOnlyMemory<char>>("String", TextDataViewType.Instance, text => text.ToString(), text => text.AsMemory()),
        new ClassValueKind<bool>("Boolean", BooleanDataViewType.Instance, value => value ? "true" : "false", bool.Parse),
        Number<sbyte>("SByte", NumberDataViewType.SByte),
        Number<byte>("Byte", NumberDataViewType.Byte),
        Number<short>("Int16", NumberDataViewType.Int16),
        Number<ushort>("UInt16", NumberDataViewType.UInt16),
        Number<int>("Int32", NumberDataViewType.Int32),
        Number<uint>("UInt32", NumberDataViewType.UInt32),
        Number<long>("Int64", NumberDataViewType.Int64),
        Number<ulong>("UInt64", NumberDataViewType.UInt64),
        Number<float>("Single", NumberDataViewType.Single, "R"),
        Number<double>("Double", NumberDataViewType.Double, "R"),
        Number<TimeSpan>("TimeSpan", TimeSpanDataViewType.Instance, "c"),
        new ClassValueKind<DateTime>("DateTime", DateTimeDataViewType.Instance, value => value.ToString("O", CultureInfo.InvariantCulture),
            text => DateTime.ParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)),
        new ClassValueKind<DateTimeOffset>("DateTimeOffset", DateTimeOffsetDataViewType.Instance,
            value => value.ToString("O", CultureInfo.InvariantCulture),
            text => DateTimeOffset.ParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)),
        new ClassValueKind<DataViewRowId>("RowId", RowIdDataViewType.Instance,
            value => string.Create(CultureInfo.InvariantCulture, $"{new UInt128(value.High, value.Low):x32}"), ToRowId),
    ];

    /// <summary>The type's name: that of ML.NET's <see cref="DataKind"/>.</summary>
    public abstract string Name { get; }

    /// <summary>The kinds' names, for messages.</summary>
    public static string Names => string.Join(", ", All.Select(kind => kind.Name));

    /// <summary>The kind of a name; null where there is none.</summary>
    public static ClassValueKind? Find(string name) => Array.Find(All, kind => kind.Name == name);

    /// <summary>The kind of a type of values.</summary>
    public static ClassValueKind Of(DataViewType type) =>
        Array.Find(All, kind => kind.IsOf(type)) ?? throw new NotSupportedException($"A key cannot have values of type {type}.");

    /// <summary>The texts of a key's values.</summary>
    public abstract string[] Read(DataViewSchema.Annotations annotations);

    /// <summary>The key values' annotation that the texts are of.</summary>
    /// <exception cref="FormatException">A text is none of a value; the message is the text.</exception>
    public abstract DataViewSchema.Annotations ToAnnotations(string[] texts);

    protected abstract bool IsOf(DataViewType type);

    private static ClassValueKind Number<T>(string name, PrimitiveDataViewType type, string? format = null)
        where T : IFormattable, IParsable<T> =>
        new ClassValueKind<T>(name, type, value => value.ToString(format, CultureInfo.InvariantCulture),
            text => T.Parse(text, CultureInfo.InvariantCulture));

    private static DataViewRowId ToRowId(string text)
    {
        var number = UInt128.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return new((ulong)number, (ulong)(number >> 64));
    }
}
