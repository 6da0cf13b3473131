using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The kind of one type.</summary>
/// <param name="name">Its name.</param>
/// <param name="type">ML.NET's word for it.</param>
/// <param name="write">A value's text.</param>
/// <param name="parse">A text's value; what it throws says that it is none.</param>
internal sealed class ClassValueKind<T>(string name, PrimitiveDataViewType type, Func<T, string> write, Func<string, T> parse)
    : ClassValueKind
{
    private const string KeyValues = AnnotationUtils.Kinds.KeyValues;

    public override string Name => name;

    public override string[] Read(DataViewSchema.Annotations annotations)
    {
        VBuffer<T> values = default;
        annotations.GetValue(KeyValues, ref values);
        return [.. values.DenseValues().Select(write)];
    }

    public override DataViewSchema.Annotations ToAnnotations(string[] texts)
    {
        T[] values = Array.ConvertAll(texts, Parse);
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(KeyValues, new VectorDataViewType(type, values.Length),
            (ref VBuffer<T> value) => value = new(values.Length, [.. values]));
        return builder.ToAnnotations();
    }

    protected override bool IsOf(DataViewType other) => type.Equals(other);

    private T Parse(string text)
    {
        try
        {
            return parse(text);
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new FormatException(text, e);
        }
    }
}
