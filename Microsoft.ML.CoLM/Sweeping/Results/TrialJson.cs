using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Trials as JSON; <see cref="ChainSweepResult.SaveJson"/> describes it.</summary>
internal static class TrialJson
{
    // One more when a reader of the last has to change.
    private const int Version = 1;

    // A file of its own, never a part of a page.
    private static readonly JsonWriterOptions Options =
        new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Write(ChainSweepResult result, Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, Options);
        json.WriteStartObject();
        json.WriteNumber("version", Version);
        json.WriteString("metric", Sound(result.Metric));
        json.WriteBoolean("isMaximized", result.IsMaximized);
        json.WriteNumber("latencyBatchSize", result.LatencyBatchSize);
        json.WriteStartArray("trials");
        foreach (var trial in result.Trials)
            WriteTrial(json, trial, result.Frontier.Contains(trial));
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteTrial(Utf8JsonWriter json, ChainTrial trial, bool isOnFrontier)
    {
        json.WriteStartObject();
        json.WriteNumber("id", trial.Id);
        json.WriteStartArray("settings");
        foreach (var (name, value) in trial.Settings.Values)
        {
            json.WriteStartObject();
            json.WriteString("name", Sound(name));
            json.WriteString("type", (value as NoValue)?.Type.FullName ?? value.GetType().FullName);
            json.WritePropertyName("value");
            WriteValue(json, value);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNumber("chainCount", trial.ChainCount);
        WriteCascade(json, trial.Cascade);
        json.WriteString("state", trial.State.ToString());
        json.WriteString("error", trial.Error is null ? null : Sound(trial.Error));
        WriteNumber(json, "metric", trial.Metric);
        WriteNumber(json, "metricDeviation", trial.MetricDeviation);
        WriteNumber(json, "medianLatency", trial.MedianLatency);
        WriteNumber(json, "percentile95Latency", trial.Percentile95Latency);
        WriteNumber(json, "rowsPerSecond", trial.RowsPerSecond);
        json.WriteNumber("parameters", trial.Parameters);
        json.WriteNumber("peakMemory", trial.PeakMemory);
        WriteNumber(json, "trainingSeconds", trial.TrainingSeconds);
        json.WriteBoolean("isOnFrontier", isOnFrontier);
        json.WriteString("code", trial.ToString());
        json.WriteEndObject();
    }

    private static void WriteCascade(Utf8JsonWriter json, CascadeOptions? cascade)
    {
        if (cascade is null)
        {
            json.WriteNull("cascade");
            return;
        }
        json.WriteStartObject("cascade");
        json.WritePropertyName("chainCounts");
        WriteValue(json, cascade.ChainCounts.ToArray());
        json.WritePropertyName("thresholds");
        WriteValue(json, cascade.Thresholds.ToArray());
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double? value)
    {
        json.WritePropertyName(name);
        WriteValue(json, value);
    }

    private static void WriteValue(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null or NoValue:
                json.WriteNullValue();
                break;
            case bool yes:
                json.WriteBooleanValue(yes);
                break;
            case Array { Rank: 1 } values:
                json.WriteStartArray();
                foreach (var element in values)
                    WriteValue(json, element);
                json.WriteEndArray();
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case float number when float.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case byte or sbyte or short or ushort or int or uint or long or ulong or decimal:
                json.WriteRawValue(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture));
                break;
            default: // JSON has neither enumerations nor infinity.
                json.WriteStringValue(Sound(SweepValue.TextOf(value)));
                break;
        }
    }

    // UTF-8 cannot say half of a surrogate pair.
    private static string Sound(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
