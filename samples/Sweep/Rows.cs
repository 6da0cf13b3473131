using Microsoft.ML;
using Microsoft.ML.Data;
using Samples;

namespace SweepSample;

/// <summary>Reads files of rows: JSON lines of texts, and tab-separated values with names in the first line.</summary>
internal static class Rows
{
    /// <summary>The rows, as a fitted pipeline was given its own.</summary>
    /// <param name="mlContext">The context.</param>
    /// <param name="file">The file.</param>
    /// <param name="schema">The columns to read, <c>Text</c> and <c>Label</c> from those that the settings name.</param>
    /// <param name="settings">Which columns of the file these are.</param>
    /// <exception cref="InvalidDataException">A column is missing; the message names it and those that there are.</exception>
    public static IDataView Load(MLContext mlContext, FileInfo file, DataViewSchema schema, Settings settings)
    {
        if (file.Extension is ".jsonl" or ".json")
            return mlContext.Data.LoadFromEnumerable(
                JsonLines.Texts(file.FullName).Select(text => new Document { Text = text }).ToArray());
        var names = (File.ReadLines(file.FullName).FirstOrDefault() ?? "").Split('\t');
        var columns = schema.Where(column => !column.IsHidden).Select(column =>
        {
            var name = column.Name switch { "Text" => settings.TextColumn, "Label" => settings.LabelColumn, var own => own };
            var index = Array.FindIndex(names, found => found.Equals(name, StringComparison.OrdinalIgnoreCase));
            return index >= 0 ? new TextLoader.Column(column.Name, Kind(column), index) : throw new InvalidDataException(
                $"{file}: there is no column '{name}'. The columns are: {string.Join(", ", names)}.");
        });
        return mlContext.Data.LoadFromTextFile(file.FullName, new TextLoader.Options
        {
            Columns = [.. columns],
            HasHeader = true,
            Separators = ['\t'],
            AllowQuoting = false,
        });
    }

    /// <summary>Labelled texts: <c>Text</c>, and <c>Label</c> as text.</summary>
    public static IDataView LoadLabelled(MLContext mlContext, FileInfo file, Settings settings)
    {
        var schema = new DataViewSchema.Builder();
        schema.AddColumn("Text", TextDataViewType.Instance);
        schema.AddColumn("Label", TextDataViewType.Instance);
        return Load(mlContext, file, schema.ToSchema(), settings);
    }

    private static DataKind Kind(DataViewSchema.Column column) =>
        column.Type is TextDataViewType ? DataKind.String : Enum.Parse<DataKind>(column.Type.RawType.Name);
}
