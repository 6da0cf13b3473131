namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass]
public sealed class SweepSettingsTests
{
    private static readonly int[] Chains = [4, 4];

    private readonly SweepSettings _settings = new SweepSettings().Set("rate", 0.1).Set("chains", Chains).Set("share", true);

    [TestMethod]
    public void AValueComesBackExactlyAndIsReplacedByTheNext()
    {
        Assert.AreEqual(0.1, _settings.Get<double>("rate"));
        CollectionAssert.AreEqual(Chains, _settings.Get<int[]>("chains"));
        Assert.IsTrue(_settings.Get<bool>("share"));
        _settings.Set("rate", 0.2f);
        Assert.AreEqual(0.2f, _settings.Get<float>("rate"));
        Assert.AreEqual("rate = 0.2, chains = [4, 4], share = true", _settings.Describe());
    }

    [TestMethod]
    public void ANameThatIsNotThereIsRefusedWithThoseThatAre()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => _settings.Get<double>("Rate"));
        Assert.Contains("There is no setting 'Rate'. The settings are: 'rate', 'chains', 'share'.", error.Message);
        Assert.Contains("The settings are: none.", Assert.ThrowsExactly<ArgumentException>(() => new SweepSettings().Get<int>("x")).Message);
    }

    [TestMethod]
    public void AnotherTypeIsRefusedWithBoth()
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => _settings.Get<float>("rate"));
        Assert.Contains("The setting 'rate' is of type System.Double, but was asked for as System.Single.", error.Message);

        // The runtime would let one pass for the other.
        Assert.ThrowsExactly<ArgumentException>(() => _settings.Get<uint[]>("chains"));
    }

    [TestMethod]
    public void WhatNoSpaceHasCannotBeSet()
    {
        Assert.Contains("must be bool, numbers", Assert.ThrowsExactly<ArgumentException>(() => _settings.Set("x", TimeSpan.Zero)).Message);
        Assert.Contains("must not be null", Assert.ThrowsExactly<ArgumentException>(() => _settings.Set<string>("x", null!)).Message);
        Assert.Contains("is empty", Assert.ThrowsExactly<ArgumentException>(() => _settings.Set("", 1)).Message);
    }
}
