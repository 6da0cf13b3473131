using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a transformer reads, and what it makes of it.</summary>
/// <param name="Columns">The text to score.</param>
/// <param name="BatchSize">Rows that are scored together.</param>
/// <param name="Scorer">What is computed.</param>
/// <param name="Windows">How long texts are divided.</param>
/// <param name="ParsesSpecialTokens">Whether text that spells a special token means that token.</param>
internal sealed record ScoringSettings(
    TextColumns Columns, int BatchSize, RowScorer Scorer, TextWindows Windows = default, bool ParsesSpecialTokens = true)
{
    // Added to the task's number where windows follow it; without, as in zips of before, texts are divided as they are by
    // default. Older versions take it for a task that they do not know.
    private const int HasWindows = 1 << 16;

    // The same where text is text whatever it spells; without, special tokens are parsed.
    private const int TakesTextLiterally = 1 << 17;

    // The same for what a head reads, which without is the last token.
    private const int HasPooling = 1 << 18;

    private const int AllFlags = HasWindows | TakesTextLiterally | HasPooling;

    /// <summary>The schema with the columns that are added, which need not be there yet.</summary>
    /// <param name="input">The schema of the data.</param>
    /// <param name="text">The text that is read.</param>
    /// <param name="added">The columns that are added.</param>
    /// <exception cref="ArgumentException">A text column is missing, or its type is not text.</exception>
    public static SchemaShape OutputShape(
        SchemaShape input, TextColumns text, IEnumerable<DataViewSchema.DetachedColumn> added)
    {
        text.CheckIn(input);
        var columns = input.ToDictionary(existing => existing.Name);
        foreach (var column in added)
        {
            var kind = column.Type switch
            {
                VectorDataViewType { IsKnownSize: true } => SchemaShape.Column.VectorKind.Vector,
                VectorDataViewType => SchemaShape.Column.VectorKind.VariableVector,
                _ => SchemaShape.Column.VectorKind.Scalar,
            };
            columns[column.Name] = column.Type is KeyDataViewType
                ? new SchemaShape.Column(column.Name, kind, NumberDataViewType.UInt32, isKey: true, Annotations(column))
                : new SchemaShape.Column(column.Name, kind, column.Type.GetItemType(), isKey: false, Annotations(column));
        }
        return new SchemaShape(columns.Values);
    }

    /// <summary>Refuses a model that the settings do not fit, and windows that the task does not read.</summary>
    /// <exception cref="ArgumentException">The message names the option.</exception>
    public void CheckFits(CoLMConfig config)
    {
        Scorer.Depth.CheckFits(config.Layout);
        Windows.CheckFits(config);
        if (Scorer.OnlyReads is { } part && Windows != default)
        {
            var option = Windows.Length is null
                ? nameof(ElasticScoringEstimator.Options.Stride) : nameof(ElasticScoringEstimator.Options.Window);
            throw new ArgumentException($"{option} must be left out with {Scorer.Kind}, which reads {part} of a text alone.", option);
        }
        if (Windows.AreDisjoint(config))
            CheckDisjoint(config);
    }

    /// <summary>Writes the settings into a zip.</summary>
    public void Save(IHost host, ZipWriter context)
    {
        Columns.Save(context);
        context.Writer.Write(BatchSize);
        var pooling = Scorer.Head?.Pooling ?? FeaturePooling.LastToken;
        context.Writer.Write((int)Scorer.Kind + (Windows == default ? 0 : HasWindows) +
            (ParsesSpecialTokens ? 0 : TakesTextLiterally) + (pooling == FeaturePooling.LastToken ? 0 : HasPooling));
        if (Windows != default)
        {
            context.Writer.Write(Windows.Length ?? 0);
            context.Writer.Write(Windows.Stride ?? 0);
        }
        if (pooling != FeaturePooling.LastToken)
            context.Writer.Write((int)pooling);
        Scorer.Save(host, context);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="host">Whose component is loaded.</param>
    /// <param name="context">The zip.</param>
    /// <param name="model">The zip's model.</param>
    /// <exception cref="InvalidDataException">No transformer has such settings.</exception>
    public static ScoringSettings Load(IHost host, ZipReader context, CoLMModel model)
    {
        var columns = TextColumns.Load(context);
        var batchSize = context.Reader.ReadInt32();
        var number = context.Reader.ReadInt32();
        // Other bits are no flags of this version's.
        var flags = number is >= 0 and < 2 * HasPooling ? number & AllFlags : 0;
        var kind = (TaskKind)(number - flags);
        var isLiteral = (flags & TakesTextLiterally) != 0;
        var windows = (flags & HasWindows) != 0 ? ReadWindows(context.Reader, model.Config) : default;
        var pooling = (flags & HasPooling) != 0 ? ReadPooling(context.Reader, kind) : FeaturePooling.LastToken;
        if (kind == TaskKind.MultipleChoice)
            columns = ChoiceColumns.Of(columns);
        return new ScoringSettings(columns, batchSize, kind switch
        {
            TaskKind.LanguageModeling => LanguageModelRowScorer.Load(context),
            TaskKind.Features => FeatureRowScorer.Load(context),
            TaskKind.MulticlassClassification => MulticlassRowScorer.Load(host, context, model, pooling),
            TaskKind.BinaryClassification => BinaryRowScorer.Load(context, model, pooling),
            TaskKind.Regression => RegressionRowScorer.Load(context, model, pooling),
            TaskKind.Completion => CompletionRowScorer.Load(context),
            TaskKind.MultipleChoice => MultipleChoiceRowScorer.Load(context),
            _ => throw new InvalidDataException($"The zip's scoring task {kind} is not known."),
        }, windows, ParsesSpecialTokens: !isLiteral).Checked(model);
    }

    private void CheckDisjoint(CoLMConfig config)
    {
        const string Stride = nameof(ElasticScoringEstimator.Options.Stride);
        if (Scorer.Kind != TaskKind.LanguageModeling)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{Stride} must be less than the window with {Scorer.Kind}, found {Windows.Stride}: ") +
                $"windows that have but one token in common are for {TaskKind.LanguageModeling}.");
        }
        if (config.BosTokenId is null && config.EosTokenIds.Count == 0)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{Stride} must be less than the window, found {Windows.Stride}: the model has neither a beginning-of-text nor an ") +
                "end-of-text token, one of which a text's first token would be predicted from.");
        }
    }

    private static FeaturePooling ReadPooling(BinaryReader reader, TaskKind kind)
    {
        var pooling = (FeaturePooling)reader.ReadInt32();
        var hasHead = kind is TaskKind.MulticlassClassification or TaskKind.BinaryClassification or TaskKind.Regression;
        return hasHead && Enum.IsDefined(pooling) ? pooling
            : throw new InvalidDataException($"The zip's scoring task {kind} has no pooling {pooling}.");
    }

    private static TextWindows ReadWindows(BinaryReader reader, CoLMConfig config)
    {
        var (length, stride) = (reader.ReadInt32(), reader.ReadInt32());
        var windows = new TextWindows(length == 0 ? null : length, stride == 0 ? null : stride);
        try
        {
            windows.Check();
            windows.CheckFits(config);
            return windows;
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"The zip's scoring windows are wrong: {e.Message}", e);
        }
    }

    private ScoringSettings Checked(CoLMModel model)
    {
        try
        {
            if (BatchSize is < 1 or > ElasticScoringEstimator.Options.MaximumBatchSize)
            {
                throw new InvalidDataException("The zip's batch size must be between 1 and " +
                    FormattableString.Invariant($"{ElasticScoringEstimator.Options.MaximumBatchSize}, found {BatchSize}."));
            }
            CheckFits(model.Config);
            return this;
        }
        catch
        {
            Scorer.Head?.Dispose();
            throw;
        }
    }

    private static SchemaShape Annotations(DataViewSchema.DetachedColumn column) =>
        SchemaShape.Create(column.Annotations?.Schema ?? DataViewSchema.Annotations.Empty.Schema);
}
