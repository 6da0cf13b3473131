using System.Reflection;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>The versions of the libraries whose internals are used.</summary>
[TestClass, DoNotParallelize]
public sealed class LibraryVersionsTests
{
    private static readonly Assembly Torch = typeof(torch).Assembly;
    private static readonly Assembly Core = typeof(IHostEnvironment).Assembly;

    [TestMethod]
    public void ThoseThatTheLibraryWasBuiltWithAreAccepted()
    {
        LibraryVersions.Check();
        Assert.AreEqual("5.0.1", LibraryVersions.Expected("Microsoft.ML"));
        Assert.AreEqual("0.107.0", LibraryVersions.Expected("TorchSharp"));
        Assert.IsNull(LibraryVersions.MismatchOf(LibraryVersions.Expected, Torch, typeof(MLContext).Assembly, Core));
    }

    [TestMethod]
    [DataRow("TorchSharp", "0.106.0", "found TorchSharp 0.107.0")]
    [DataRow("Microsoft.ML", "5.1.0", "found Microsoft.ML.Core 5.0.1")]
    public void OthersAreNamedWithTheOneThatIsExpected(string package, string expected, string found)
    {
        var message = LibraryVersions.MismatchOf(
            library => library == package ? expected : LibraryVersions.Expected(library), Torch, Core);
        Assert.IsNotNull(message);
        Assert.Contains($"{package} {expected}", message);
        Assert.Contains(found, message);
    }
}
