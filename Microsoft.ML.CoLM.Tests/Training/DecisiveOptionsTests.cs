using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>What a checkpoint says of the options that it was made with.</summary>
[TestClass, DoNotParallelize]
public sealed class DecisiveOptionsTests
{
    [TestMethod]
    public void NamesThatOptionsHadBeforeMakeNoDifference()
    {
        Dictionary<string, string> before = new() { ["FrozenFeatureMemory"] = "7", ["FrozenFeatureDisk"] = "8" };
        Dictionary<string, string> now = new() { ["FrozenFeatureMemoryBytes"] = "7", ["FrozenFeatureDiskBytes"] = "8" };
        Assert.AreEqual("", DecisiveOptions.Differences(before, now));
        now["FrozenFeatureDiskBytes"] = "9";
        Assert.AreEqual("FrozenFeatureDiskBytes was 8 and is 9", DecisiveOptions.Differences(before, now));
    }

    [TestMethod]
    public void EveryOptionOfTheFormerNamesIsThere()
    {
        var options = DecisiveOptions.Of(new ChainTuningEstimator.Options());
        Assert.AreEqual($"{1L << 30}", options["FrozenFeatureMemoryBytes"]);
        Assert.AreEqual($"{16L << 30}", options["FrozenFeatureDiskBytes"]);
    }
}
