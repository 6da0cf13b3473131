using System.Reflection;
using System.Security.Cryptography;
using Microsoft.ML.Data;
using Microsoft.ML.Data.IO;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The classes of a key label: how many there are, and, where the key has them, their values.</summary>
internal sealed class ClassLabels
{
    private const string EntryName = "labels.idv";
    private const string KeyValues = AnnotationUtils.Kinds.KeyValues;

    // In bytes; a million classes with names of 60 characters.
    private const long LongestEntry = 64 << 20;

    private readonly DataViewSchema.Annotations _keyValues;

    /// <param name="label">A key column of a known number of values.</param>
    public ClassLabels(DataViewSchema.Column label)
    {
        Count = checked((int)((KeyDataViewType)label.Type).Count);
        var builder = new DataViewSchema.Annotations.Builder();
        if (label.Annotations.Schema.GetColumnOrNull(KeyValues)?.Type is VectorDataViewType type && type.Size == Count)
            builder.Add(label.Annotations, name => name == KeyValues);
        _keyValues = builder.ToAnnotations();
    }

    private ClassLabels(int count, DataViewSchema.Annotations keyValues) => (Count, _keyValues) = (count, keyValues);

    /// <summary>Classes without values, numbered from 0 on.</summary>
    public static ClassLabels Of(int count) => new(count, new DataViewSchema.Annotations.Builder().ToAnnotations());

    /// <summary>Classes by the texts of their values.</summary>
    /// <exception cref="FormatException">A text is none of a value; the message is the text.</exception>
    public static ClassLabels Of(ClassValueKind kind, string[] texts) => new(texts.Length, kind.ToAnnotations(texts));

    /// <summary>The annotations of <see cref="VectorColumn"/>, which need no classes.</summary>
    public static SchemaShape VectorAnnotations { get; } = new(
    [
        new(AnnotationUtils.Kinds.SlotNames, SchemaShape.Column.VectorKind.Vector, TextDataViewType.Instance, isKey: false),
        Text(AnnotationUtils.Kinds.ScoreColumnKind),
        Text(AnnotationUtils.Kinds.ScoreValueKind),
    ]);

    /// <summary>Number of classes.</summary>
    public int Count { get; }

    /// <summary>The values of the classes as text; their numbers from 0 on where the key has none.</summary>
    /// <remarks>Made when they are asked for: of a zip, when the head has shown that there are so many classes.</remarks>
    public string[] Names => field ??= ReadNames();

    /// <summary>The type of the classes' values, and their texts; null where the key has none.</summary>
    public (ClassValueKind Kind, string[] Texts)? Values
    {
        get
        {
            if (_keyValues.Schema.GetColumnOrNull(KeyValues)?.Type is not VectorDataViewType type)
                return null;
            var kind = ClassValueKind.Of(type.ItemType);
            return (kind, kind.Read(_keyValues));
        }
    }

    /// <summary>A key column of these classes.</summary>
    public DataViewSchema.DetachedColumn KeyColumn(string name) =>
        new(name, new KeyDataViewType(typeof(uint), Count), _keyValues);

    /// <summary>A column of a number for each class, whose slots have the classes' names.</summary>
    public DataViewSchema.DetachedColumn VectorColumn(string name)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        ReadOnlyMemory<char>[] names = Array.ConvertAll(Names, text => text.AsMemory());
        builder.Add(AnnotationUtils.Kinds.SlotNames, new VectorDataViewType(TextDataViewType.Instance, Count),
            (ref VBuffer<ReadOnlyMemory<char>> value) => value = new(names.Length, [.. names]));
        Add(AnnotationUtils.Kinds.ScoreColumnKind, AnnotationUtils.Const.ScoreColumnKind.MulticlassClassification);
        Add(AnnotationUtils.Kinds.ScoreValueKind, AnnotationUtils.Const.ScoreValueKind.Score);
        return new(name, new VectorDataViewType(NumberDataViewType.Single, Count), builder.ToAnnotations());

        void Add(string kind, string value) =>
            builder.Add(kind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> text) => text = value.AsMemory());
    }

    /// <summary>Writes the classes into a zip, their values in the type that they have.</summary>
    public void Save(IHost host, ZipWriter context)
    {
        var schema = new DataViewSchema.Builder();
        var column = KeyColumn(DefaultColumnNames.Label);
        schema.AddColumn(column.Name, column.Type, column.Annotations);
        using var stream = new MemoryStream();
        using (var channel = host.Start("Saving classes"))
        {
            DataSaverUtils.SaveDataView(channel, new BinarySaver(host, new BinarySaver.Arguments { Silent = true }),
                new EmptyDataView(host, schema.ToSchema()), stream);
        }
        var bytes = stream.ToArray();
        context.SaveFile(EntryName, stream => stream.Write(bytes));
        context.Writer.Write(SHA256.HashData(bytes));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is missing or damaged, or has no classes.</exception>
    public static ClassLabels Load(IHost host, ZipReader context)
    {
        var bytes = context.ReadAll(EntryName, LongestEntry);
        // ML.NET's reader takes whatever memory a damaged entry asks for.
        var hash = context.Reader.ReadBytes(SHA256.HashSizeInBytes);
        if (!hash.AsSpan().SequenceEqual(SHA256.HashData(bytes)))
            throw new InvalidDataException($"The classes in the zip's entry '{EntryName}' are damaged.");
        var stream = new MemoryStream(bytes); // open as long as the values are read from it
        var schema = new BinaryLoader(host, new BinaryLoader.Arguments(), stream).Schema;
        return schema.GetColumnOrNull(DefaultColumnNames.Label) is { Type: KeyDataViewType { Count: > 0 } } column
            ? new ClassLabels(column)
            : throw new InvalidDataException($"The zip has no classes in its entry '{EntryName}'.");
    }

    private static SchemaShape.Column Text(string name) =>
        new(name, SchemaShape.Column.VectorKind.Scalar, TextDataViewType.Instance, isKey: false);

    private string[] ReadNames()
    {
        if (_keyValues.Schema.GetColumnOrNull(KeyValues)?.Type is not VectorDataViewType type)
            return [.. Enumerable.Range(0, Count).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        return (string[])typeof(ClassLabels).GetMethod(nameof(TextOf), BindingFlags.NonPublic | BindingFlags.Instance)!
            .MakeGenericMethod(type.ItemType.RawType).Invoke(this, null)!;
    }

    private string[] TextOf<T>()
    {
        VBuffer<T> values = default;
        _keyValues.GetValue(KeyValues, ref values);
        return [.. values.DenseValues().Select(value =>
            FormattableString.Invariant($"{(value is ReadOnlyMemory<char> text ? text.ToString() : value)}"))];
    }
}
