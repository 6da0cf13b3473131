using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class GenerationOptionsTests
{
    private static readonly CoLMConfig Config = TextModels.Config(4, 2, 4);

    public static IEnumerable<object[]> WrongOptions =>
    [
        Wrong("MaxNewTokens", "0", options => options.MaxNewTokens = 0),
        Wrong("MaxNewTokens", "-1", options => options.MaxNewTokens = -1),
        Wrong("Temperature", "-0.1", options => options.Temperature = -0.1),
        Wrong("Temperature", "NaN", options => options.Temperature = double.NaN),
        Wrong("Temperature", "Infinity", options => options.Temperature = double.PositiveInfinity),
        Wrong("TopK", "0", options => options.TopK = 0),
        Wrong("TopP", "0", options => options.TopP = 0),
        Wrong("TopP", "1.01", options => options.TopP = 1.01),
        Wrong("TopP", "NaN", options => options.TopP = double.NaN),
        Wrong("MinP", "-0.5", options => options.MinP = -0.5),
        Wrong("MinP", "1.5", options => options.MinP = 1.5),
        Wrong("MinP", "NaN", options => options.MinP = double.NaN),
        Wrong("RepetitionPenalty", "0", options => options.RepetitionPenalty = 0),
        Wrong("RepetitionPenalty", "-1", options => options.RepetitionPenalty = -1),
        Wrong("RepetitionPenalty", "NaN", options => options.RepetitionPenalty = double.NaN),
        Wrong("StopTexts", "an empty one", options => options.StopTexts = ["a", ""]),
        Wrong("StopTexts", "null", options => options.StopTexts = [null!]),
        Wrong("StopTexts", "half a surrogate pair", options => options.StopTexts = ["a\uD83D"]),
        Wrong("StopTokenIds", "258", options => options.StopTokenIds = [3, 258]),
        Wrong("StopTokenIds", "-1", options => options.StopTokenIds = [-1]),
        Wrong("ChainCount", "0", options => options.ChainCount = 0),
        Wrong("ChainCount", "4", options => options.ChainCount = 4),
        Wrong("ChainSchedule", "both", options => (options.ChainCount, options.ChainSchedule) = (2, _ => 1)),
        Wrong("ChainSchedule", "both", options =>
            (options.SpeculativeDecoding, options.ChainSchedule) = (true, _ => 1)),
        Wrong("MaxDraftTokens", "0", options => options.MaxDraftTokens = 0),
    ];

    [TestMethod]
    [DynamicData(nameof(WrongOptions))]
    public void AWrongOptionIsNamedWithWhatWasExpectedAndFound(
        string name, string found, Action<GenerationOptions> change)
    {
        var options = new GenerationOptions();
        change(options);
        var error = Assert.ThrowsExactly<ArgumentException>(() => options.Checked(Config));
        Assert.AreEqual(name, error.ParamName);
        Assert.StartsWith($"{name} must be ", error.Message);
        Assert.Contains($", found {found}.", error.Message);
    }

    [TestMethod]
    public void TheDefaultsAndTheExtremesAreTaken()
    {
        Assert.AreEqual(0, new GenerationOptions().Checked(Config).Temperature);
        new GenerationOptions
        {
            MaxNewTokens = int.MaxValue,
            Temperature = 1e-300,
            TopK = int.MaxValue,
            TopP = double.Epsilon,
            MinP = 1,
            RepetitionPenalty = 0.5,
            Seed = int.MinValue,
            StopTexts = ["\uFFFD", "🐈"],
            StopTokenIds = [0, 257],
            ChainCount = 3,
            SpeculativeDecoding = true,
            MaxDraftTokens = int.MaxValue,
        }.Checked(Config);
    }

    [TestMethod]
    public void ChangesAfterTheCheckAreNotSeen()
    {
        List<string> stopTexts = ["a"];
        List<int> stopTokenIds = [1];
        var options = new GenerationOptions { StopTexts = stopTexts, StopTokenIds = stopTokenIds, ChainCount = 2 };
        var copy = options.Checked(Config);
        stopTexts[0] = "";
        stopTokenIds.Add(-1);
        options.ChainCount = 7;
        Assert.AreEqual(2, copy.ChainCount);
        CollectionAssert.AreEqual((string[])["a"], copy.StopTexts.ToArray());
        CollectionAssert.AreEqual((int[])[1], copy.StopTokenIds.ToArray());
    }

    [TestMethod]
    public void ListsThatAreNoneAreRefused()
    {
        Assert.ThrowsExactly<ArgumentNullException>(() => new GenerationOptions { StopTexts = null! }.Checked(Config));
        Assert.ThrowsExactly<ArgumentNullException>(
            () => new GenerationOptions { StopTokenIds = null! }.Checked(Config));
    }

    private static object[] Wrong(string name, string found, Action<GenerationOptions> change) => [name, found, change];
}
