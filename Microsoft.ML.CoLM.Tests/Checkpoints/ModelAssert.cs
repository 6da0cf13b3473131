using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Comparisons of models and folders.</summary>
internal static class ModelAssert
{
    /// <summary>The first chains of a model have the weights of another model, to the bit.</summary>
    public static void SameWeights(CoLMModel expected, CoLMModel actual)
    {
        var weights = expected.ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in actual.ChainParameters())
        {
            CollectionAssert.AreEqual(weights[name].shape, parameter.shape, name);
            Assert.IsTrue(Bits(weights[name]).SequenceEqual(Bits(parameter)), $"{name} differs.");
        }
    }

    public static bool HaveSameWeights(CoLMModel a, CoLMModel b)
    {
        var weights = a.ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        return a.Config.Layout.Equals(b.Config.Layout)
            && b.ChainParameters().All(entry => Bits(weights[entry.name]).SequenceEqual(Bits(entry.parameter)));
    }

    public static void SameFiles(string expected, string actual)
    {
        var (before, after) = (TemporaryFolder.Contents(expected), TemporaryFolder.Contents(actual));
        CollectionAssert.AreEqual(before.Keys, after.Keys);
        foreach (var (name, bytes) in before)
            Assert.IsTrue(bytes.AsSpan().SequenceEqual(after[name]), $"{name} differs.");
    }

    public static bool HaveSameFiles(
        SortedDictionary<string, byte[]> a, SortedDictionary<string, byte[]> b) =>
        a.Keys.SequenceEqual(b.Keys) && a.All(file => file.Value.AsSpan().SequenceEqual(b[file.Key]));

    private static Span<byte> Bits(Tensor tensor) => tensor.bytes;
}
