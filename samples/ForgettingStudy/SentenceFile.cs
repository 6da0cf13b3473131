namespace ForgettingStudy;

/// <summary>Reads sentences with labels: tab-separated, the first line names the columns.</summary>
internal static class SentenceFile
{
    private const string TextColumn = "sentence";
    private const string LabelColumn = "label";

    /// <exception cref="InvalidDataException">A column is missing, or a line lacks a field.</exception>
    public static Sentence[] Read(string path)
    {
        using var reader = new StreamReader(path);
        var names = (reader.ReadLine() ?? "").Split('\t');
        var (text, label) = (Place(TextColumn), Place(LabelColumn));
        List<Sentence> rows = [];
        for (var number = 2; reader.ReadLine() is { } line; number++)
        {
            if (line.Length == 0)
                continue;
            var fields = line.Split('\t');
            if (fields.Length != names.Length)
            {
                throw new InvalidDataException(
                    $"{path}, line {number}: expected {names.Length} fields, as in the first line, found {fields.Length}.");
            }
            rows.Add(new Sentence { Text = fields[text], Label = fields[label] });
        }
        return rows.Count > 0 ? [.. rows] : throw new InvalidDataException($"{path}: no rows.");

        int Place(string name) => Array.IndexOf(names, name) is >= 0 and var place ? place
            : throw new InvalidDataException($"{path}: no column '{name}', found {string.Join(", ", names)}.");
    }
}
