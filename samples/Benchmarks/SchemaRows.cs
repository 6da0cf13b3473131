using System.Globalization;
using Microsoft.Data.Analysis;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Benchmarks;

/// <summary>A file's rows in the columns that a model reads.</summary>
internal static class SchemaRows
{
    // The one column that a model which predicts it can do without.
    private const string Label = "Label";

    /// <summary>The rows; columns of types that a file cannot have, keys and vectors, are left out.</summary>
    /// <param name="table">The file.</param>
    /// <param name="columns">Names and types of what the model reads.</param>
    /// <exception cref="InvalidDataException">The file lacks a column, or a field is not of the column's type.</exception>
    public static DataFrame Of(TableFile table, IEnumerable<(string Name, DataViewType Type)> columns)
    {
        var wanted = columns.Where(column => Create(column.Name, column.Type, 0) is not null).ToArray();
        var sources = Match(table, wanted);
        var frame = new DataFrame();
        foreach (var ((name, type), source) in wanted.Zip(sources))
        {
            var column = Create(name, type, table.Rows.Count)!;
            for (var row = 0; row < table.Rows.Count; row++)
            {
                var (line, fields) = table.Rows[row];
                column[row] = source < 0 ? Parse("", type) : Parse(fields[source], type) ?? throw new InvalidDataException(
                    $"{table.Path}, line {line}: expected {type} for column '{name}', found '{fields[source]}'.");
            }
            frame.Columns.Add(column);
        }
        return frame;
    }

    // By name, whatever the case; a text that is left over on both sides is the same, so that "sentence" is "Text".
    private static int[] Match(TableFile table, (string Name, DataViewType Type)[] wanted)
    {
        int[] sources = Array.ConvertAll(wanted, column =>
            Array.FindIndex(table.Names, name => name.Equals(column.Name, StringComparison.OrdinalIgnoreCase)));
        int[] unmatched = [.. Enumerable.Range(0, wanted.Length).Where(i =>
            sources[i] < 0 && wanted[i].Type is TextDataViewType && !IsLabel(wanted[i].Name))];
        int[] left = [.. Enumerable.Range(0, table.Names.Length).Except(sources).Where(i => !IsLabel(table.Names[i]))];
        if (unmatched.Length == 1 && left.Length == 1)
            sources[unmatched[0]] = left[0];
        var missing = Array.FindIndex(sources, source => source < 0);
        while (missing >= 0 && IsLabel(wanted[missing].Name))
            missing = Array.FindIndex(sources, missing + 1, source => source < 0);
        return missing < 0 ? sources : throw new InvalidDataException(
            $"{table.Path} has no column '{wanted[missing].Name}', which the model reads. It has {string.Join(", ", table.Names)}.");
    }

    private static bool IsLabel(string name) => name.Equals(Label, StringComparison.OrdinalIgnoreCase);

    private static DataFrameColumn? Create(string name, DataViewType type, long rows) => type switch
    {
        TextDataViewType => new StringDataFrameColumn(name, rows),
        BooleanDataViewType => new BooleanDataFrameColumn(name, rows),
        NumberDataViewType when type.RawType == typeof(float) => new SingleDataFrameColumn(name, rows),
        NumberDataViewType when type.RawType == typeof(double) => new DoubleDataFrameColumn(name, rows),
        NumberDataViewType when type.RawType == typeof(int) => new Int32DataFrameColumn(name, rows),
        NumberDataViewType when type.RawType == typeof(long) => new Int64DataFrameColumn(name, rows),
        _ => null,
    };

    private static object? Parse(string field, DataViewType type)
    {
        if (type is TextDataViewType)
            return field;
        var isNumber = double.TryParse(field.Length == 0 ? "0" : field, CultureInfo.InvariantCulture, out var number);
        if (type is BooleanDataViewType)
            return isNumber ? number != 0 : bool.TryParse(field, out var isTrue) ? isTrue : null;
        return isNumber ? Convert.ChangeType(number, type.RawType, CultureInfo.InvariantCulture) : null;
    }
}
