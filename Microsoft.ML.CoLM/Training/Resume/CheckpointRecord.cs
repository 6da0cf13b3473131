using System.Globalization;
using System.Numerics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Training;

/// <summary>What a checkpoint holds beside tensors; names are those of Hugging Face's trainer where it has them.</summary>
internal sealed record CheckpointRecord
{
    private const int NewestFormat = 1;

    // A century, in seconds: what is reckoned from it stays a time.
    private const double LongestRuntime = 3.2e9;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
        NewLine = "\n",
    };

    /// <summary>Changes when a reader of the last one would read it wrongly.</summary>
    public required int Format { get; init; }

    /// <summary>Steps done.</summary>
    public required int GlobalStep { get; init; }

    /// <summary>Tokens trained on.</summary>
    public required long NumInputTokensSeen { get; init; }

    /// <summary>Time spent on steps.</summary>
    public required double TrainRuntime { get; init; }

    /// <summary>The last step's loss.</summary>
    public required double Loss { get; init; }

    /// <summary>The last validation.</summary>
    public required Validation Validation { get; init; }

    /// <summary>The step of the best validation; 0 before the first.</summary>
    public required int BestGlobalStep { get; init; }

    /// <summary>The best validation.</summary>
    public required Validation BestValidation { get; init; }

    /// <summary>Validations since the best one.</summary>
    public required int ValidationsWithoutBest { get; init; }

    /// <summary>How often the optimizer has changed each parameter.</summary>
    public required Dictionary<string, long> OptimizerSteps { get; init; }

    /// <summary>What the training is.</summary>
    public required RunIdentity Identity { get; init; }

    /// <summary>The record of a run as it is.</summary>
    public static CheckpointRecord Of(TrainingRun run, Dictionary<string, long> steps, RunIdentity identity) => new()
    {
        Format = NewestFormat,
        GlobalStep = run.Step,
        NumInputTokensSeen = run.Tokens,
        TrainRuntime = run.Elapsed.TotalSeconds,
        Loss = run.Loss,
        Validation = run.Found,
        BestGlobalStep = run.Best.Step,
        BestValidation = run.Best.Found,
        ValidationsWithoutBest = run.Best.Waited,
        OptimizerSteps = steps,
        Identity = identity,
    };

    /// <summary>The record's bytes in its file.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    public void Write(Stream stream) => JsonSerializer.Serialize(stream, this, Json);

    /// <param name="json">The file's bytes.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InvalidDataException">
    /// The file is no such record, has numbers that no training has, or is of a newer version of this library.
    /// </exception>
    public static CheckpointRecord Read(byte[] json, string path)
    {
        try
        {
            var record = JsonSerializer.Deserialize<CheckpointRecord>(json, Json);
            if (record is not { Format: NewestFormat })
                throw new InvalidDataException($"{path}: must have format {NewestFormat}, found {record?.Format}.");
            record.Check(path);
            return record;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not valid JSON of a checkpoint: {e.Message}", e);
        }
    }

    private void Check(string path)
    {
        var isLimited = Identity.Options.TryGetValue(nameof(TrainingOptions.MaxSteps), out var text);
        var mostSteps = isLimited && int.TryParse(text, CultureInfo.InvariantCulture, out var steps) ? steps : int.MaxValue;
        if (Identity.Products is { } products && MatrixProducts.TryParse(products) is null)
            throw new InvalidDataException($"{path}: products must name what multiplies matrices, found '{products}'.");
        Require(GlobalStep, 1, mostSteps, nameof(GlobalStep));
        Require(NumInputTokensSeen, 0, long.MaxValue / 2, nameof(NumInputTokensSeen));
        Require(TrainRuntime, 0, LongestRuntime, nameof(TrainRuntime));
        foreach (var loss in Validation.Losses.Concat(BestValidation.Losses).Append(Loss))
            Require(loss, -double.MaxValue, double.MaxValue, nameof(Loss));
        Require(BestGlobalStep, 0, GlobalStep, nameof(BestGlobalStep));
        if (BestGlobalStep > 0)
            Require(BestValidation.Objective, -double.MaxValue, double.MaxValue, nameof(Validation.Objective));
        Require(ValidationsWithoutBest, 0, GlobalStep, nameof(ValidationsWithoutBest));
        foreach (var changes in OptimizerSteps.Values)
            Require(changes, 0, GlobalStep, nameof(OptimizerSteps));

        void Require<T>(T found, T least, T most, string name) where T : INumber<T>
        {
            if (!(found >= least && found <= most)) // NaN is neither
            {
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                    $"{path}: {JsonNamingPolicy.SnakeCaseLower.ConvertName(name)} must be from {least} to {most}, " +
                    $"found {found}."));
            }
        }
    }
}
