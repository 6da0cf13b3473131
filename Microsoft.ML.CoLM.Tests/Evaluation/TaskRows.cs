using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Rows of published tasks' files.</summary>
internal static class TaskRows
{
    /// <summary>All rows of a view, with contexts as they are: a text, or one for each choice.</summary>
    public static List<(string[] Contexts, string[] Choices, int Label)> Of(IDataView data)
    {
        List<(string[], string[], int)> rows = [];
        using var cursor = data.GetRowCursor(data.Schema);
        var (context, choices, label) = (data.Schema["Context"], data.Schema["Choices"], data.Schema["Label"]);
        while (cursor.MoveNext())
        {
            var index = 0;
            cursor.GetGetter<int>(label)(ref index);
            rows.Add((context.Type is VectorDataViewType ? Texts(cursor, context) : [Text(cursor, context)],
                Texts(cursor, choices), index));
        }
        return rows;
    }

    /// <summary>All texts of a column.</summary>
    public static string[] Column(IDataView data, string name)
    {
        List<string> texts = [];
        using var cursor = data.GetRowCursor([data.Schema[name]]);
        while (cursor.MoveNext())
            texts.Add(Text(cursor, data.Schema[name]));
        return [.. texts];
    }

    private static string Text(DataViewRow row, DataViewSchema.Column column)
    {
        ReadOnlyMemory<char> text = default;
        row.GetGetter<ReadOnlyMemory<char>>(column)(ref text);
        return text.ToString();
    }

    private static string[] Texts(DataViewRow row, DataViewSchema.Column column)
    {
        VBuffer<ReadOnlyMemory<char>> texts = default;
        row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column)(ref texts);
        return [.. texts.DenseValues().Select(text => text.ToString())];
    }
}
