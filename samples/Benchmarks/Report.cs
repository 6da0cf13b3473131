using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Benchmarks;

/// <summary>What a command measured.</summary>
/// <param name="title">What was done, in one line.</param>
/// <param name="settings">How: device, type, shape and so on, by name.</param>
internal sealed class Report(string title, IReadOnlyDictionary<string, object> settings)
{
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private const string Half = "Middle half";

    private static readonly Dictionary<string, double> NoValues = [];

    private static readonly string[] None = [];

    private readonly List<ReportRow> _rows = [];

    /// <summary>Adds a row.</summary>
    /// <param name="name">What was measured.</param>
    /// <param name="samples">The measurements.</param>
    /// <param name="unit">Their unit.</param>
    /// <param name="basis">What they are compared with, or null.</param>
    /// <param name="values">What else is known of it, by name; every row names the same, or nothing.</param>
    public void Add(string name, Samples samples, string unit = "ms", Samples? basis = null,
        IReadOnlyDictionary<string, double>? values = null) =>
        _rows.Add(new(name, unit, samples, basis is null ? null : samples.RelativeTo(basis), values ?? NoValues));

    /// <summary>Adds a ratio that is known without measuring.</summary>
    public void AddRatio(string name, double ratio) => _rows.Add(new(name, "", null, new Samples([ratio]), NoValues));

    public void Print()
    {
        var table = new Table()
            .Title(title.EscapeMarkup())
            .Caption(string.Join(", ", settings.Select(setting => $"{setting.Key} {setting.Value}")
                .Append($"vectors {Machine.VectorBits} bits")).EscapeMarkup())
            .AddColumn("");
        string[] further = [.. _rows.SelectMany(row => row.Values.Keys).Distinct()];
        foreach (var name in further)
            table.AddColumn(new TableColumn(name.EscapeMarkup()).RightAligned());
        // Columns in which nothing would stand take room from the others.
        var (hasRanges, hasRatios) = (_rows.Exists(row => row.Samples is { Count: > 1 }), _rows.Exists(row => row.Ratio is not null));
        string[] columns = ["Median", .. hasRanges ? [Half] : None, .. hasRatios ? ["Ratio"] : None, .. hasRanges && hasRatios ? [Half] : None];
        foreach (var name in columns)
            table.AddColumn(new TableColumn(name).RightAligned());
        foreach (var row in _rows)
        {
            table.AddRow(
            [
                row.Name.EscapeMarkup(),
                .. further.Select(name => row.Values.TryGetValue(name, out var value) ? Value(value) : ""),
                Number(row.Samples?.Median, row.Unit),
                .. hasRanges ? [Range(row.Samples)] : None,
                .. hasRatios ? [Number(row.Ratio?.Median)] : None,
                .. hasRanges && hasRatios ? [Range(row.Ratio)] : None,
            ]);
        }
        AnsiConsole.Write(table);
    }

    public void Save(FileInfo file)
    {
        var content = new
        {
            title,
            machine = Machine.Describe(),
            settings,
            rows = _rows.Select(row => new
            {
                row.Name,
                row.Unit,
                value = Summary(row.Samples),
                ratio = Summary(row.Ratio),
                row.Values,
            }),
        };
        File.WriteAllText(file.FullName, JsonSerializer.Serialize(content, Indented));
    }

    private static object? Summary(Samples? samples) => samples is null ? null : new
    {
        samples.Median,
        samples.FirstQuartile,
        samples.ThirdQuartile,
        samples.Count,
    };

    private static string Range(Samples? samples) =>
        samples is not { Count: > 1 } ? "" : $"{Number(samples.FirstQuartile)} to {Number(samples.ThirdQuartile)}";

    private static string Value(double value) =>
        value.ToString(value == Math.Truncate(value) ? "F0" : value >= 10 ? "F2" : "F4", CultureInfo.InvariantCulture);

    // Four digits that count, whatever the size.
    private static string Number(double? value, string unit = "") => value is not { } number ? "" : string.Create(
        CultureInfo.InvariantCulture,
        $"{number.ToString(number >= 1000 ? "F0" : number >= 100 ? "F1" : number >= 10 ? "F2" : "F3",
            CultureInfo.InvariantCulture)} {unit}").TrimEnd();
}
