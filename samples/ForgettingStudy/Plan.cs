namespace ForgettingStudy;

/// <summary>What there is to do.</summary>
/// <param name="settings">What was asked for.</param>
internal sealed class Plan(Settings settings)
{
    private readonly string _inputs = Fingerprint.Of([settings.Files.Model, settings.Files.StoriesTrain,
        settings.Files.StoriesValidation, settings.Files.Train, settings.Files.Validation, settings.Files.Judge]);

    /// <summary>How the expanded model is made.</summary>
    public ExpansionSettings Expansion { get; } = new(
        settings.Chains, settings.KvSharing, settings.Initialization, settings.ExpansionSteps,
        Fingerprint.Of([settings.Files.Model, settings.Files.StoriesTrain, settings.Files.StoriesValidation]));

    /// <summary>The runs that a method's recipe is chosen by; none where there is nothing to choose.</summary>
    public RunSettings[] Trials(Method method)
    {
        var recipes = Recipes(method);
        return recipes.Length == 1 ? [] : [.. recipes.Select(recipe => Run(method, seed: 1, recipe) with
        {
            IsJudged = false,
            Rows = settings.TrialRows,
            ValidationsPerEpoch = 1,
        })];
    }

    /// <summary>The recipe of a method for which none is chosen.</summary>
    public Recipe Given(Method method) => Recipes(method)[0];

    /// <summary>The runs of the table, a seed's methods together.</summary>
    /// <param name="recipes">Each method's recipe.</param>
    public RunSettings[] Runs(IReadOnlyDictionary<Method, Recipe> recipes) => [.. Enumerable.Range(1, settings.Seeds)
        .SelectMany(_ => settings.Methods, (seed, method) => Run(method, seed, recipes[method]))];

    private Recipe[] Recipes(Method method) =>
    [
        .. from rate in settings.Rates.Length > 0 ? settings.Rates : [settings.LearningRate ?? method.LearningRate]
           from pooling in settings.Poolings
           from headRate in settings.HeadRates
           from decay in settings.WeightDecays
           from smoothing in settings.LabelSmoothings
           select new Recipe(rate, pooling, headRate, decay, smoothing),
    ];

    private RunSettings Run(Method method, int seed, Recipe recipe) => new(
        method.Name, seed, settings.Rows, IsJudged: true, settings.LeavesOutOverlap, settings.Epochs, settings.Batch, recipe,
        settings.RestoresBest,
        method.HasAdapters ? settings.LoraRank : 0, method.HasAdapters ? settings.LoraAlpha : 0, settings.Validations,
        method.FreezesBase ? settings.FeatureMemory : 0, method.FreezesBase ? settings.FeatureDisk : 0,
        settings.AtOnce, method.IsExpanded ? Expansion : null, _inputs)
    {
        DataType = settings.DataType,
    };
}
