using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Chains;

[TestClass, DoNotParallelize]
public sealed class CoLMConfigTests
{
    /// <summary>The published LLaMA-3.2-1B, which the numbers of the paper are about.</summary>
    private static readonly CoLMConfig Llama = new()
    {
        Layout = new ChainLayout(32, 8),
        KvSharing = true,
        VocabularySize = 128256,
        HiddenSize = 2048,
        IntermediateSize = 8192,
        LayerCount = 16,
        KeyValueHeadCount = 8,
        HeadDimension = 64,
        ContextLength = 131072,
    };

    [TestMethod]
    public void EveryChainHasItsShareOfTheFirstChainsWidths()
    {
        var config = (Llama with { Layout = new ChainLayout(32, 8, 64), KvSharing = false }).Validated();
        CollectionAssert.AreEqual(new[] { 2048, 512, 4096 }, Each(config, config.Hidden));
        CollectionAssert.AreEqual(new[] { 8192, 2048, 16384 }, Each(config, config.Intermediate));
        CollectionAssert.AreEqual(new[] { 32, 8, 64 }, Each(config, config.Heads));
        CollectionAssert.AreEqual(new[] { 2048, 512, 4096 }, Each(config, config.QueryWidth));
        CollectionAssert.AreEqual(new[] { 8, 2, 16 }, Each(config, config.KeyValueHeads));
    }

    [TestMethod]
    public void HeadsAreTheirShareOfTheFeaturesUnlessAWidthIsGiven()
    {
        Assert.AreEqual(64, (Llama with { HeadDimension = null }).Validated().HeadWidth);
        var wide = (Llama with { HeadDimension = 128 }).Validated();
        Assert.AreEqual(128, wide.HeadWidth);
        Assert.AreEqual(1024, wide.QueryWidth(1));
    }

    [TestMethod]
    public void WithoutACountOfKeyValueHeadsThereIsOneForEachHead()
    {
        var config = (Llama with { KeyValueHeadCount = null, KvSharing = false }).Validated();
        CollectionAssert.AreEqual(new[] { 32, 8 }, Each(config, config.KeyValueHeads));
    }

    [TestMethod]
    [DataRow("32", false)]
    [DataRow("32", true)]
    [DataRow("32,8", true)]
    [DataRow("16,16", true)]
    [DataRow("16,16", false)]
    [DataRow("8,8,8,8", true)]
    [DataRow("8,8,8,8", false)]
    [DataRow("8,16,24", true)]
    public void ThePapersLayoutsFit(string layout, bool kvSharing)
    {
        var config = Llama with { Layout = ChainLayout.Parse(layout), KvSharing = kvSharing, HeadDimension = null };
        Assert.AreSame(config, config.Validated());
    }

    [TestMethod]
    public void TheFirstChainsOfAConfigurationAreAConfiguration()
    {
        var config = Llama with { Layout = new ChainLayout(32, 8, 16) };
        Assert.AreEqual(config with { Layout = new ChainLayout(32, 8) }, config.WithChainCount(2));
        Assert.AreSame(config, config.WithChainCount(3));
        foreach (var chainCount in new[] { 0, 4 })
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => config.WithChainCount(chainCount));
            Assert.Contains($"found {chainCount}", error.Message);
        }
    }

    [TestMethod]
    public void ConfigurationsAreEqualWhenTheirSettingsAre()
    {
        Assert.AreEqual(Llama, Llama with { Layout = new ChainLayout(32, 8) });
        Assert.AreEqual(
            Llama with { RopeScaling = new Llama3RopeScaling(32, 1, 4, 8192) },
            Llama with { RopeScaling = new Llama3RopeScaling(32, 1, 4, 8192) });
        Assert.AreNotEqual(Llama, Llama with { Layout = new ChainLayout(32) });
        Assert.AreNotEqual(Llama, Llama with { KvSharing = false });
        Assert.AreNotEqual(Llama, Llama with { RopeTheta = 500000 });
        Assert.AreNotEqual(Llama, Llama with { RopeScaling = new Llama3RopeScaling(32, 1, 4, 8192) });
    }

    [TestMethod]
    public void WhereAConfigurationWasReadFromMakesNoDifference()
    {
        Assert.AreEqual(Llama, Llama with { SourceJson = "{}" });
        Assert.AreEqual(Llama.GetHashCode(), (Llama with { SourceJson = "{}" }).GetHashCode());
        Assert.AreEqual("{}", (Llama with { SourceJson = "{}" } with { KvSharing = true }).SourceJson);
    }

    [TestMethod]
    public void RotaryScalingsAreEqualWhenAllThatWasGivenIs()
    {
        Assert.AreEqual(new YarnRopeScaling(4, 64) { BetaFast = 16 }, new YarnRopeScaling(4, 64) { BetaFast = 16 });
        Assert.AreNotEqual(new YarnRopeScaling(4, 64), new YarnRopeScaling(4, 64) { MScale = 1 });
        Assert.AreNotEqual(new YarnRopeScaling(4, 64), new YarnRopeScaling(4, 64) { Truncate = false });
        Assert.AreNotEqual<RopeScaling>(new LinearRopeScaling(4, 64), new DynamicRopeScaling(4, 64));
        Assert.AreNotEqual(new LinearRopeScaling(4, 64), new LinearRopeScaling(4, 65));
        Assert.AreEqual(new Llama3RopeScaling(8, 1, 4, 64).GetHashCode(), new Llama3RopeScaling(8, 1, 4, 64).GetHashCode());
        Assert.AreNotEqual(new Llama3RopeScaling(8, 1, 4, 64), new Llama3RopeScaling(8, 1, 5, 64));
    }

    [TestMethod]
    public void AConfigurationPrintsWhatItHolds()
    {
        var text = (Llama with { EosTokenIds = [2, 3], RopeScaling = new Llama3RopeScaling(8, 1, 4.5, 64) }).ToString();
        Assert.Contains("Layout = 32,8,", text);
        Assert.Contains("EosTokenIds = [2, 3]", text);
        Assert.Contains("Llama3RopeScaling: Factor 8, LowFrequencyFactor 1, HighFrequencyFactor 4.5, OriginalContextLength 64", text);
        Assert.DoesNotContain("System.", text);
        Assert.DoesNotContain("ItemList", text);
    }

    [TestMethod]
    public void ConfigurationsAreEqualWhenTheirEndTokensAre()
    {
        Assert.AreEqual(Llama with { EosTokenIds = [1, 2] }, Llama with { EosTokenIds = [1, 2] });
        Assert.AreEqual((Llama with { EosTokenIds = [1, 2] }).GetHashCode(),
            (Llama with { EosTokenIds = [1, 2] }).GetHashCode());
        Assert.AreNotEqual(Llama with { EosTokenIds = [1, 2] }, Llama with { EosTokenIds = [1] });
    }

    public static IEnumerable<object[]> WrongSizes { get; } =
        from size in new[] { 0, -1 }
        from setting in new (string Name, CoLMConfig Config)[]
        {
            (nameof(CoLMConfig.VocabularySize), Llama with { VocabularySize = size }),
            (nameof(CoLMConfig.HiddenSize), Llama with { HiddenSize = size }),
            (nameof(CoLMConfig.IntermediateSize), Llama with { IntermediateSize = size }),
            (nameof(CoLMConfig.LayerCount), Llama with { LayerCount = size }),
            (nameof(CoLMConfig.ContextLength), Llama with { ContextLength = size }),
            (nameof(CoLMConfig.KeyValueHeadCount), Llama with { KeyValueHeadCount = size }),
            (nameof(CoLMConfig.HeadDimension), Llama with { HeadDimension = size }),
        }
        select new object[] { setting.Name, setting.Config, size };

    [TestMethod]
    [DynamicData(nameof(WrongSizes))]
    public void ASizeBelowOneIsRefusedByItsName(string setting, CoLMConfig config, int size)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => config.Validated());
        Assert.Contains(setting, error.Message);
        Assert.Contains($"found {size}", error.Message);
    }

    [TestMethod]
    public void WidthsThatAreBeyondInt32AreRefusedByTheirName()
    {
        foreach (var (setting, config) in (IEnumerable<(string, CoLMConfig)>)
        [
            ("HeadDimension", Llama with { HeadDimension = 1 << 30 }),
            ("HiddenSize", Llama with { HiddenSize = 1 << 29, Layout = new(32, 10_000) }),
            ("IntermediateSize", Llama with { IntermediateSize = 1 << 30, Layout = new(32, 8, 32) }),
        ])
        {
            Assert.Contains(setting, Assert.ThrowsExactly<ArgumentException>(() => config.Validated()).Message);
        }
    }

    [TestMethod]
    public void TokensOutsideTheVocabularyAreRefusedByTheirSetting()
    {
        foreach (var id in (int[])[-1, Llama.VocabularySize])
        {
            Assert.Contains("bos_token_id", Assert.ThrowsExactly<ArgumentException>(
                () => (Llama with { BosTokenId = id }).Validated()).Message);
            Assert.Contains("eos_token_id", Assert.ThrowsExactly<ArgumentException>(
                () => (Llama with { EosTokenIds = [0, id] }).Validated()).Message);
        }
    }

    [TestMethod]
    [DataRow(-1e-6)]
    [DataRow(double.NaN)]
    [DataRow(double.PositiveInfinity)]
    public void AnEpsilonThatIsNoSmallNumberIsRefused(double epsilon)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => (Llama with { RmsNormEpsilon = epsilon }).Validated());
        Assert.Contains($"RmsNormEpsilon must be a number of at least 0, found {epsilon}", error.Message);
    }

    [TestMethod]
    [DataRow(0.0)]
    [DataRow(-10000.0)]
    [DataRow(double.NaN)]
    [DataRow(double.PositiveInfinity)]
    public void ARotaryBaseThatIsNotPositiveIsRefused(double theta)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => (Llama with { RopeTheta = theta }).Validated());
        Assert.Contains($"RopeTheta must be a positive number, found {theta}", error.Message);
    }

    // Each would make the angles of the rotary embedding infinite, NaN or meaningless; config.json is refused for them.
    [TestMethod]
    [DataRow(0.0, 1.0, 4.0, 8192, "found 0")]
    [DataRow(double.NaN, 1.0, 4.0, 8192, "found NaN")]
    [DataRow(32.0, 0.0, 4.0, 8192, "found 0")]
    [DataRow(32.0, 4.0, 4.0, 8192, "found 4")]
    [DataRow(32.0, 1.0, 4.0, 0, "found 0")]
    public void ARotaryScalingThatCannotBeComputedIsRefused(
        double factor, double low, double high, int original, string message)
    {
        var config = Llama with { RopeScaling = new Llama3RopeScaling(factor, low, high, original) };
        Assert.Contains(message, Assert.ThrowsExactly<ArgumentException>(() => config.Validated()).Message);
    }

    public static IEnumerable<object[]> InexactDivisions { get; } =
    [
        ["HiddenSize 2050 is not divisible by its 32 attention heads",
            Llama with { HiddenSize = 2050, HeadDimension = null }],
        ["the head dimension 63 is odd", Llama with { HeadDimension = 63 }],
        ["the head dimension 1 is odd", Llama with { HiddenSize = 32, HeadDimension = null }],
        ["32 attention heads are not divisible by its 5 key-value heads", Llama with { KeyValueHeadCount = 5 }],
        ["32 attention heads are not divisible by its 64 key-value heads", Llama with { KeyValueHeadCount = 64 }],
        ["HiddenSize 2052 times chain 2's 4 heads is not divisible by the first chain's 32",
            Llama with { HiddenSize = 2052, Layout = new ChainLayout(32, 4), KeyValueHeadCount = 4 }],
        ["IntermediateSize 8190 times chain 2's 8 heads is not divisible by the first chain's 32",
            Llama with { IntermediateSize = 8190 }],
        ["IntermediateSize 8196 times chain 3's 12 heads is not divisible by the first chain's 32",
            Llama with { IntermediateSize = 8196, KeyValueHeadCount = 4, Layout = new ChainLayout(32, 8, 12) }],
        ["chain 2 has 4 heads, which is no multiple of the first chain's 8 key-value heads",
            Llama with { Layout = new ChainLayout(32, 4) }],
        ["chain 3 has 12 heads, which is no multiple of the first chain's 8 key-value heads",
            Llama with { Layout = new ChainLayout(32, 8, 12) }],
        ["chain 2 has 8 heads, which is no multiple of the first chain's 32 key-value heads",
            Llama with { KeyValueHeadCount = null }],
        ["KeyValueHeadCount 8 times chain 2's 2 heads is not divisible by the first chain's 32",
            Llama with { KvSharing = false, Layout = new ChainLayout(32, 2) }],
        ["KeyValueHeadCount 1 times chain 2's 8 heads is not divisible by the first chain's 32",
            Llama with { KvSharing = false, KeyValueHeadCount = 1 }],
    ];

    [TestMethod]
    [DynamicData(nameof(InexactDivisions))]
    public void ALayoutWhoseDivisionsAreNotExactIsRefusedWithTheNumbersThatDoNotDivide(
        string message, CoLMConfig config)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => config.Validated());
        Assert.Contains(message, error.Message);
        Assert.Contains($"The chain layout {{{config.Layout}}} does not fit", error.Message);
    }

    [TestMethod]
    public void TheModelRefusesWhatTheConfigurationRefuses()
    {
        var config = Llama with { Layout = new ChainLayout(32, 4) };
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => CoLMModel.Create(config, seed: 1, CPU, ScalarType.Float32));
        Assert.Contains("chain 2 has 4 heads", error.Message);
    }

    // 2048 · 2^30 / 32 does not fit 32 bits, and a width that wraps around would be another model's.
    [TestMethod]
    public void AChainWhoseWidthIsBeyondThirtyTwoBitsIsRefused()
    {
        var config = Llama with { Layout = new ChainLayout(32, 1 << 30), KvSharing = false };
        Assert.ThrowsExactly<ArgumentException>(() => config.Validated());
    }

    private static int[] Each(CoLMConfig config, Func<int, int> width) =>
        [.. Enumerable.Range(0, config.ChainCount).Select(width)];
}
