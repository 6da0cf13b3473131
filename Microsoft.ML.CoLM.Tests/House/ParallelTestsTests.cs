using System.Text.RegularExpressions;

namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>Tests run beside each other only where they touch no torch.</summary>
[TestClass]
public sealed partial class ParallelTestsTests
{
    [TestMethod]
    public void ClassesThatRunInParallelTouchNoTorch()
    {
        var folder = Path.Combine(SharedData.RepositoryRoot(), "Microsoft.ML.CoLM.Tests");
        string[] parallel = [.. Directory.EnumerateFiles(folder, "*Tests.cs", SearchOption.AllDirectories)
            .Where(file => Path.GetFileNameWithoutExtension(file) != nameof(ParallelTestsTests))
            .Where(file => Alone().IsMatch(File.ReadAllText(file)))];
        Assert.IsGreaterThan(20, parallel.Length);
        foreach (var file in parallel)
            Assert.DoesNotMatchRegex(Torch(), File.ReadAllText(file), Path.GetRelativePath(folder, file));
    }

    [GeneratedRegex(@"^\[TestClass\]", RegexOptions.Multiline)]
    private static partial Regex Alone();

    [GeneratedRegex("TorchSharp|CoLMModel|MLContext|TestModels|TextModels|FreshProcess")]
    private static partial Regex Torch();
}
