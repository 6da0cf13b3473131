namespace ForgettingStudy;

/// <summary>What there is to do.</summary>
/// <param name="settings">What was asked for.</param>
internal sealed class Plan(Settings settings)
{
    /// <summary>Rows that a learning rate is tried on.</summary>
    public const int TrialRows = 10000;

    /// <summary>Rows that it is judged by.</summary>
    public const int HeldOutRows = 2000;

    private readonly string _inputs = Fingerprint.Of([settings.Files.Model, settings.Files.StoriesTrain,
        settings.Files.StoriesValidation, settings.Files.Train, settings.Files.Validation]);

    /// <summary>How the expanded model is made.</summary>
    public ExpansionSettings Expansion { get; } = new(
        settings.Chains, settings.KvSharing, settings.Initialization, settings.ExpansionSteps,
        Fingerprint.Of([settings.Files.Model, settings.Files.StoriesTrain, settings.Files.StoriesValidation]));

    /// <summary>The runs that a method's learning rate is chosen by; none where it is given.</summary>
    public RunSettings[] Trials(Method method) => [.. settings.Rates.Select(rate => Run(method, seed: 1, rate) with
    {
        Rows = TrialRows,
        HeldOut = HeldOutRows,
        ValidationsPerEpoch = 1,
    })];

    /// <summary>The runs of the table, a seed's methods together.</summary>
    /// <param name="learningRates">Each method's learning rate.</param>
    public RunSettings[] Runs(IReadOnlyDictionary<Method, double> learningRates) => [.. Enumerable.Range(1, settings.Seeds)
        .SelectMany(_ => settings.Methods, (seed, method) => Run(method, seed, learningRates[method]))];

    private RunSettings Run(Method method, int seed, double learningRate) => new(
        method.Name, seed, settings.Rows, HeldOut: 0, settings.Epochs, settings.Batch, learningRate,
        method.HasAdapters ? settings.LoraRank : 0, method.HasAdapters ? settings.LoraAlpha : 0, settings.Validations,
        method.FreezesBase ? settings.FeatureMemory : 0, method.FreezesBase ? settings.FeatureDisk : 0,
        settings.AtOnce, method.IsExpanded ? Expansion : null, _inputs)
    {
        DataType = settings.DataType,
    };
}
