using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Analysis;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Data frames, CSV and JSON of a sweep's result.</summary>
[TestClass]
public sealed class ResultFilesTests
{
    private const string Awkward = "a, \"b\"\r\nc; 1,5 — ä 😀";

    private static readonly ChainSweepResult Result = Trials.Result(false,
        new ChainTrial
        {
            Id = 1,
            ChainCount = 2,
            Settings = new SweepSettings().Set("rate", 0.1 + 0.2).Set("chains", new[] { 8, 8 }).Set("name", Awkward)
                .Set("start", ChainInitialization.CopyFirstChain).Set("isAir", true).Set("Metric", 3L).Set("mixed", 1),
            Metric = 1 / 3.0,
            MetricDeviation = double.Epsilon,
            MedianLatency = 1.0000000000000002,
            Percentile95Latency = double.MaxValue,
            RowsPerSecond = 0.1,
            Parameters = long.MaxValue,
            PeakMemory = (1L << 53) + 1,
            TrainingSeconds = 1e-300,
        },
        new ChainTrial
        {
            Id = 2,
            ChainCount = 3,
            Cascade = new() { ChainCounts = [1, 3], MaximumLosses = [double.PositiveInfinity] },
            Settings = new SweepSettings().Set("rate", 1e-5).Set("mixed", "one").Set("empty", "").Set("wait", double.NaN),
            Metric = double.NaN,
        },
        Trials.Failed(3, "Half a pair \ud83d, and\n" + Awkward));

    [TestMethod]
    public void DataFramesHaveColumnsOfNumbersAndText()
    {
        var frame = Result.ToDataFrame();
        CollectionAssert.AreEqual(
            ("Id rate chains name start isAir Settings.Metric mixed empty wait ChainCount Cascade State Error Metric " +
            "MetricDeviation MedianLatency Percentile95Latency RowsPerSecond Parameters PeakMemory TrainingSeconds Frontier " +
            "Code").Split(' '), frame.Columns.Select(column => column.Name).ToArray());
        Assert.IsTrue(frame.Columns.All(column => column is StringDataFrameColumn || column.IsNumericColumn()));
        Is<Int32DataFrameColumn>("Id", 1, 2, 3);
        Is<DoubleDataFrameColumn>("rate", 0.1 + 0.2, 1e-5, null);
        Is<StringDataFrameColumn>("chains", "[8, 8]", null, null);
        Is<StringDataFrameColumn>("name", Awkward, null, null);
        Is<StringDataFrameColumn>("start", "CopyFirstChain", null, null);
        Is<StringDataFrameColumn>("isAir", "true", null, null);
        Is<Int64DataFrameColumn>("Settings.Metric", 3L, null, null);
        Is<StringDataFrameColumn>("mixed", "1", "one", null);
        Is<StringDataFrameColumn>("Cascade", null, "1 (Infinity) 3", null);
        Is<StringDataFrameColumn>("State", "Completed", "Completed", "Failed");
        Is<DoubleDataFrameColumn>("Metric", 1 / 3.0, double.NaN, null);
        Is<Int64DataFrameColumn>("PeakMemory", (1L << 53) + 1, 0L, 0L);
        Is<Int32DataFrameColumn>("Frontier", 1, 0, 0);
        Is<StringDataFrameColumn>("Code", [.. Result.Trials.Select(trial => trial.ToString())]);

        void Is<T>(string name, params object?[] expected)
        {
            Assert.IsInstanceOfType<T>(frame[name]);
            CollectionAssert.AreEqual(expected, frame[name].Cast<object?>().ToArray(), name);
        }
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("de-DE")]
    [DataRow("ar-SA")]
    public void CsvGivesBackEveryValueExactly(string culture)
    {
        using var folder = new TemporaryFolder();
        var path = folder["result.csv"];
        Trials.In(culture, () => { Result.SaveCsv(path); return true; });
        var bytes = File.ReadAllBytes(path);
        Assert.AreEqual((byte)'I', bytes[0]);
        var records = ReadCsv(Encoding.UTF8.GetString(bytes));
        var frame = Result.ToDataFrame();
        Assert.HasCount(4, records);
        for (var column = 0; column < frame.Columns.Count; column++)
        {
            Assert.AreEqual(frame.Columns[column].Name, records[0][column]);
            for (var row = 0; row < 3; row++)
            {
                var value = frame.Columns[column][row];
                var text = records[row + 1][column];
                if (value is double number)
                    Assert.AreEqual(number, double.Parse(text, CultureInfo.InvariantCulture));
                else
                    Assert.AreEqual(Sound(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""), text);
            }
        }
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("de-DE")]
    [DataRow("ar-SA")]
    public void JsonGivesBackEveryValueExactly(string culture)
    {
        using var folder = new TemporaryFolder();
        var path = folder["result.json"];
        Trials.In(culture, () => { Result.SaveJson(path); return true; });
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = json.RootElement;
        Assert.AreEqual(1, root.GetProperty("version").GetInt32());
        Assert.AreEqual("Loss", root.GetProperty("metric").GetString());
        Assert.IsFalse(root.GetProperty("isMaximized").GetBoolean());
        Assert.AreEqual(32, root.GetProperty("latencyBatchSize").GetInt32());
        var first = root.GetProperty("trials")[0];
        CollectionAssert.AreEqual(
            ("id settings chainCount cascade state error metric metricDeviation medianLatency percentile95Latency " +
            "rowsPerSecond parameters peakMemory trainingSeconds isOnFrontier code").Split(' '), first.EnumerateObject().Select(property => property.Name).ToArray());
        Assert.AreEqual(1 / 3.0, first.GetProperty("metric").GetDouble());
        Assert.AreEqual(double.Epsilon, first.GetProperty("metricDeviation").GetDouble());
        Assert.AreEqual(double.MaxValue, first.GetProperty("percentile95Latency").GetDouble());
        Assert.AreEqual((1L << 53) + 1, first.GetProperty("peakMemory").GetInt64());
        Assert.AreEqual(JsonValueKind.Null, first.GetProperty("error").ValueKind);
        Assert.IsTrue(first.GetProperty("isOnFrontier").GetBoolean());
        Assert.AreEqual(Result.Trials[0].ToString(), first.GetProperty("code").GetString());
        CollectionAssert.AreEqual((string[])[
            "rate System.Double 0.30000000000000004", "chains System.Int32[] [8,8]", "name System.String " + Awkward,
            "start Microsoft.ML.CoLM.ChainInitialization CopyFirstChain", "isAir System.Boolean true", "Metric System.Int64 3",
            "mixed System.Int32 1"], Settings(first));
        var second = root.GetProperty("trials")[1];
        Assert.AreEqual("NaN", second.GetProperty("metric").GetString());
        Assert.AreEqual("{\"chainCounts\":[1,3],\"thresholds\":[\"Infinity\"]}", Compact(second.GetProperty("cascade")));
        var third = root.GetProperty("trials")[2];
        Assert.AreEqual(JsonValueKind.Null, third.GetProperty("metric").ValueKind);
        Assert.AreEqual(Sound(Result.Trials[2].Error!), third.GetProperty("error").GetString());
        Assert.AreEqual("Failed", third.GetProperty("state").GetString());
    }

    [TestMethod]
    public void AFileThatCannotBeWrittenLeavesTheOldOne()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["taken"]);
        Assert.ThrowsExactly<IOException>(() => Result.SaveCsv(folder["taken"]));
        Assert.ThrowsExactly<IOException>(() => Result.SaveJson(folder["taken"]));
        Assert.ThrowsExactly<ArgumentException>(() => Result.SaveCsv(""));
        Assert.ThrowsExactly<ArgumentException>(() => Result.SaveJson(""));
        Assert.IsEmpty(Directory.GetFiles(folder.Path));
        File.WriteAllText(folder["result.csv"], new string('x', 1 << 16));
        Result.SaveCsv(folder["result.csv"]);
        Assert.IsFalse(File.ReadAllText(folder["result.csv"]).Contains('x', StringComparison.Ordinal) &&
            new FileInfo(folder["result.csv"]).Length >= 1 << 16);
        Assert.HasCount(1, Directory.GetFiles(folder.Path));
    }

    private static string[] Settings(JsonElement trial) => [.. trial.GetProperty("settings").EnumerateArray()
        .Select(setting => $"{Value(setting, "name")} {Value(setting, "type")} {Value(setting, "value")}")];

    private static string? Value(JsonElement setting, string name) => setting.GetProperty(name) is var value &&
        value.ValueKind == JsonValueKind.String ? value.GetString() : Compact(value);

    private static string Compact(JsonElement element) => JsonSerializer.Serialize(element);

    private static string Sound(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    /// <summary>Reads RFC 4180, strictly.</summary>
    private static List<List<string>> ReadCsv(string text)
    {
        List<List<string>> records = [];
        List<string> record = [];
        for (var i = 0; i < text.Length;)
        {
            var field = new StringBuilder();
            if (text[i] == '"')
            {
                for (i++; text[i] != '"' || text[i + 1] == '"'; i++)
                {
                    field.Append(text[i]);
                    if (text[i] == '"')
                        i++;
                }
                i++;
            }
            else
            {
                for (; text[i] is not (',' or '\r'); i++)
                {
                    Assert.AreNotEqual('"', text[i]);
                    field.Append(text[i]);
                }
            }
            record.Add(field.ToString());
            if (text[i] == ',')
            {
                i++;
                continue;
            }
            Assert.AreEqual("\r\n", text.Substring(i, 2));
            i += 2;
            records.Add(record);
            record = [];
        }
        Assert.IsEmpty(record);
        return records;
    }
}
