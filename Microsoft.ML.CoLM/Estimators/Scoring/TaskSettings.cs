using System.Text;
using System.Text.Json;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// What a model was tuned for, as its folder says it: all that a transformer of the task needs beside the head. Cascades and
/// chain counts are a transformer's own.
/// </summary>
/// <param name="Task">What is computed.</param>
/// <param name="Columns">The text that is read.</param>
internal sealed record TaskSettings(TaskKind Task, TextColumns Columns)
{
    private const int FormatVersion = 1;

    private static readonly (TaskKind Task, string Name)[] Names =
    [
        (TaskKind.LanguageModeling, "language_modeling"),
        (TaskKind.MulticlassClassification, "multiclass_classification"),
        (TaskKind.BinaryClassification, "binary_classification"),
        (TaskKind.Regression, "regression"),
        (TaskKind.Completion, "completion"),
    ];

    /// <summary>Tokens of a row that a head reads.</summary>
    public int MaxLength { get; init; }

    /// <summary>The classes of <see cref="TaskKind.MulticlassClassification"/>.</summary>
    public ClassLabels? Classes { get; init; }

    /// <summary>What the output of <see cref="TaskKind.Regression"/> is stretched to.</summary>
    public LabelRange Range { get; init; }

    /// <summary>How the prompt and the response of <see cref="TaskKind.Completion"/> become one text.</summary>
    public CompletionTemplate? Template { get; init; }

    /// <summary>Whether text that spells a special token means that token.</summary>
    public bool ParsesSpecialTokens { get; init; } = true;

    /// <summary>What a folder keeps of a transformer's task.</summary>
    /// <returns>Null where it is one that no training made, or that every folder's model has.</returns>
    public static TunedTask? Keep(ScoringSettings settings)
    {
        var kept = new TaskSettings(settings.Scorer.Kind, settings.Columns) { ParsesSpecialTokens = settings.ParsesSpecialTokens };
        kept = settings.Scorer switch
        {
            MulticlassRowScorer scorer => kept with { MaxLength = scorer.MaxLength, Classes = scorer.Labels },
            RegressionRowScorer scorer => kept with { MaxLength = scorer.MaxLength, Range = scorer.Labels },
            PredictionRowScorer scorer => kept with { MaxLength = scorer.MaxLength },
            CompletionRowScorer scorer => kept with { Template = scorer.Template },
            _ => kept,
        };
        return Names.Any(name => name.Task == kept.Task) && kept != new TaskSettings(TaskKind.LanguageModeling,
            new TextColumns(DefaultColumnNames.Text)) ? new TunedTask(kept.Write(), settings.Scorer.Head) : null;
    }

    /// <summary>Reads what <see cref="Keep"/> gave.</summary>
    /// <param name="json">The settings.</param>
    /// <param name="source">Where they come from, for messages.</param>
    /// <exception cref="InvalidDataException">They are damaged, or of another version of this library.</exception>
    public static TaskSettings Read(string json, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object ? Read(JsonField.Settings(document.RootElement, source))
                : throw new InvalidDataException($"{source}: the task's settings must be a JSON object.");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half a surrogate pair.
            throw new InvalidDataException($"{source}: the task's settings are not valid JSON: {e.Message}", e);
        }
    }

    /// <summary>The columns that a transformer of the task adds, which need no model.</summary>
    public DataViewSchema.DetachedColumn[] OutputColumns() => Task switch
    {
        TaskKind.MulticlassClassification => MulticlassRowScorer.Columns(Classes!),
        TaskKind.BinaryClassification => BinaryRowScorer.Columns(),
        TaskKind.Regression => RegressionRowScorer.Columns(),
        TaskKind.Completion => CompletionRowScorer.Columns(chainCount: 1),
        _ => LanguageModelRowScorer.Default(chainCount: 1).OutputColumns(config: null),
    };

    /// <summary>What rows of the task are scored by, with all of a model's chains.</summary>
    /// <param name="config">The model.</param>
    /// <param name="head">The task's head; null where the model has none.</param>
    /// <param name="source">Where the settings come from, for messages.</param>
    /// <exception cref="InvalidDataException">The settings do not fit the model, or its head.</exception>
    public RowScorer CreateScorer(CoLMConfig config, ChainHead? head, string source)
    {
        var outputs = Task switch
        {
            TaskKind.MulticlassClassification => Classes!.Count,
            TaskKind.BinaryClassification => BinaryRowScorer.ClassCount,
            TaskKind.Regression => 1,
            _ => 0,
        };
        var found = head?.Weight(0).size(0) ?? 0;
        if (found != outputs)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"{source}: a head for {Task} must have {outputs} outputs here, found {found}."));
        }
        if (outputs > 0 && (MaxLength < 1 || MaxLength > config.ContextLength))
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"{source}: \"max_length\" must be between 1 and the model's context of {config.ContextLength} tokens, found {MaxLength}."));
        }
        var depth = new Depth(config.ChainCount);
        return Task switch
        {
            TaskKind.MulticlassClassification => new MulticlassRowScorer(depth, MaxLength, head!, Classes!),
            TaskKind.BinaryClassification => new BinaryRowScorer(depth, MaxLength, head!),
            TaskKind.Regression => new RegressionRowScorer(depth, MaxLength, head!, Range),
            TaskKind.Completion => new CompletionRowScorer(depth, Template!),
            _ => LanguageModelRowScorer.Default(config.ChainCount),
        };
    }

    private static TaskSettings Read(JsonField settings)
    {
        var version = settings["version"].Integer;
        if (version != FormatVersion)
            throw settings["version"].Refuse(FormattableString.Invariant($"{FormatVersion}, the one this library reads"), version);
        var name = settings["task"].TextOrNull;
        if (Names.FirstOrDefault(known => known.Name == name) is not { Name: not null } task)
            throw settings["task"].Refuse($"one of {string.Join(", ", Names.Select(known => known.Name))}", name);
        var kept = new TaskSettings(task.Task, ReadColumns(settings, task.Task))
        {
            ParsesSpecialTokens = settings["parse_special_tokens"].FlagOrNull ?? true,
        };
        switch (task.Task)
        {
            case TaskKind.LanguageModeling:
                return kept;
            case TaskKind.Completion:
                return kept with { Template = ReadTemplate(settings) };
            case TaskKind.MulticlassClassification:
                kept = kept with { Classes = ReadClasses(settings) };
                break;
            case TaskKind.Regression:
                kept = kept with { Range = new(ReadSingle(settings, "label_mean"), ReadSingle(settings, "label_deviation")) };
                if (!(kept.Range.Deviation > 0))
                    throw settings["label_deviation"].Refuse("a number above 0", kept.Range.Deviation);
                break;
        }
        return kept with { MaxLength = settings["max_length"].Integer };
    }

    private static TextColumns ReadColumns(JsonField settings, TaskKind task)
    {
        const string Name = "text_columns";
        var names = settings[Name].TextsOrNull ?? [];
        int[] counts = task switch
        {
            TaskKind.LanguageModeling => [1],
            TaskKind.Completion => [2],
            _ => [1, 2],
        };
        return counts.Contains(names.Length) && !names.Contains("") && names.Distinct().Count() == names.Length
            ? new(names[0], names.ElementAtOrDefault(1))
            : throw settings[Name].Refuse($"{string.Join(" or ", counts)} different names of columns", $"[{string.Join(", ", names)}]");
    }

    private static CompletionTemplate ReadTemplate(JsonField settings)
    {
        try
        {
            return new(settings["template"].TextOrNull ?? throw settings["template"].RefuseAs("is missing"));
        }
        catch (ArgumentException e)
        {
            throw settings["template"].RefuseAs($"cannot be used: {e.Message.TrimEnd('.')}");
        }
    }

    private static ClassLabels ReadClasses(JsonField settings)
    {
        if (settings["classes"].TextsOrNull is not { } texts)
        {
            var count = settings["class_count"].Integer;
            return count > 0 ? ClassLabels.Of(count) : throw settings["class_count"].Refuse("at least 1", count);
        }
        var type = settings["class_type"].TextOrNull;
        var kind = ClassValueKind.Find(type ?? "") ?? throw settings["class_type"].Refuse($"one of {ClassValueKind.Names}", type);
        try
        {
            return texts.Length > 0 ? ClassLabels.Of(kind, texts) : throw settings["classes"].RefuseAs("is empty");
        }
        catch (FormatException e)
        {
            throw settings["classes"].Refuse($"values of type {kind.Name}", e.Message);
        }
    }

    private static float ReadSingle(JsonField settings, string name)
    {
        var number = (float)settings[name].Number;
        return float.IsFinite(number) ? number : throw settings[name].Refuse("a number that fits a Single", number);
    }

    private string Write()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("version", FormatVersion);
            json.WriteString("task", Names.First(name => name.Task == Task).Name);
            WriteTexts(json, "text_columns", Columns.All);
            json.WriteBoolean("parse_special_tokens", ParsesSpecialTokens);
            if (Template is { } template)
                json.WriteString("template", template.Text);
            if (MaxLength > 0)
                json.WriteNumber("max_length", MaxLength);
            if (Task == TaskKind.Regression)
            {
                json.WriteNumber("label_mean", Range.Mean);
                json.WriteNumber("label_deviation", Range.Deviation);
            }
            if (Classes is { } classes)
            {
                json.WriteNumber("class_count", classes.Count);
                if (classes.Values is var (kind, texts))
                {
                    json.WriteString("class_type", kind.Name);
                    WriteTexts(json, "classes", texts);
                }
            }
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, string[] texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
