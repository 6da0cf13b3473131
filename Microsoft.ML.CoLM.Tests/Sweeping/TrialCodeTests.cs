namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass]
public sealed class TrialCodeTests
{
    private enum Size : ulong { Small, @large }

    private enum Change { Less = -1, None }

    [TestMethod]
    public void ATrialIsTheCodeThatRepeatsIt()
    {
        var settings = new SweepSettings().Set("learningRate", 0.002).Set("addedChains", new[] { 8, 8 });
        Assert.AreEqual(
            "create(new SweepSettings().Set(\"learningRate\", 0.002).Set(\"addedChains\", new[] { 8, 8 })).Fit(train).WithChainCount(2)",
            Trials.Completed(1, 0.5, 1, 2, settings).ToString());
        Assert.AreEqual(
            "create(new SweepSettings().Set(\"format\", (WeightFormat?)null).Set(\"other\", WeightFormat.Int4)).Fit(train)",
            Trials.Failed(1, "No.", new SweepSettings().Set<WeightFormat?>("format", null).Set<WeightFormat?>("other", WeightFormat.Int4))
                .ToString());
        Assert.AreEqual("model.WithChainCount(2)", Trials.Completed(1, 0.5, 1, 2).ToString());
        var cascade = new ChainTrial
        { ChainCount = 3, Cascade = new() { ChainCounts = [1, 2, 3], MaximumLosses = [1.5, double.PositiveInfinity] } };
        Assert.AreEqual("model.WithCascade(new() { ChainCounts = [1, 2, 3], MaximumLosses = [1.5, double.PositiveInfinity] })",
            cascade.ToString());
        Assert.AreEqual("create(new SweepSettings().Set(\"a\", 1)).Fit(train)",
            Trials.Failed(1, "No.", new SweepSettings().Set("a", 1)).ToString());
    }

    [TestMethod]
    public void ValuesAreWrittenAsCSharpHasThem()
    {
        Is("true", true);
        Is("2.0", 2.0);
        Is("-0.0", -0.0);
        Is("0.1", 0.1);
        Is("0.30000000000000004", 0.1 + 0.2);
        Is("1E-05", 1e-5);
        Is("1.7976931348623157E+308", double.MaxValue);
        Is("double.NaN", double.NaN);
        Is("double.NegativeInfinity", double.NegativeInfinity);
        Is("0.1f", 0.1f);
        Is("2f", 2f);
        Is("float.PositiveInfinity", float.PositiveInfinity);
        Is("1.10m", 1.10m);
        Is("-8", -8);
        Is("8U", 8U);
        Is("-9223372036854775808L", long.MinValue);
        Is("18446744073709551615UL", ulong.MaxValue);
        Is("(byte)8", (byte)8);
        Is("(short)-8", (short)-8);
        Is("ChainInitialization.CopyFirstChain", ChainInitialization.CopyFirstChain);
        Is("LoraProjections.Query | LoraProjections.Value", LoraProjections.Query | LoraProjections.Value);
        Is("TrialCodeTests.Size.@large", Size.@large);
        Is("(TrialCodeTests.Size)(18446744073709551615)", (Size)ulong.MaxValue);
        Is("(TrialCodeTests.Change)(-5)", (Change)(-5));
        Is("new int[0]", Array.Empty<int>());
        Is("new string[0]", Array.Empty<string>());
        Is("new byte[0]", Array.Empty<byte>());
        Is("new ChainInitialization[0]", Array.Empty<ChainInitialization>());
        Is("new[] { 1.5, 2.0 }", new[] { 1.5, 2 });
        Is("new[] { false }", new[] { false });
        Is("new[] { \"a\", \"b\" }", new[] { "a", "b" });
        Is("new[] { 1L, 2L }", new[] { 1L, 2L });
    }

    [TestMethod]
    public void TextIsEscaped()
    {
        Is("\"a \\\"b\\\" C:\\\\d\\r\\n\\te\\u0000\\u2028\\u0085\\u200B\"", "a \"b\" C:\\d\r\n\te\0\u2028\u0085\u200b");
        Is("\"ä 中 😀\"", "ä 中 😀");
        Is("\"\\uD83D x \\uDE00\"", "\ud83d x \ude00");
    }

    [TestMethod]
    [DataRow("de-DE")]
    [DataRow("sv-SE")]
    [DataRow("ar-SA")]
    public void CodeIsTheSameInEveryCulture(string culture) => Trials.In(culture, () =>
    {
        Is("-1.5", -1.5);
        Is("-8", -8);
        Is("(TrialCodeTests.Change)(-5)", (Change)(-5));
        Is("new[] { -1.5f, 1E+20f }", new[] { -1.5f, 1e20f });
        return true;
    });

    private static void Is<T>(string expected, T value) => Assert.AreEqual(
        $"create(new SweepSettings().Set(\"a\", {expected})).Fit(train).WithChainCount(1)",
        Trials.Completed(1, 0.5, 1, 1, new SweepSettings().Set("a", value)).ToString());
}
