using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Interop;

[TestClass, DoNotParallelize]
public sealed class TorchLibraryTests
{
    private const string FolderVariable = "COLM_LIBTORCH";
    private const string PartVariable = "COLM_TEST_LIBTORCH";

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void LoadingTwiceIsNoError()
    {
        TorchLibrary.EnsureLoaded();
        TorchLibrary.EnsureLoaded();
    }

    // Whether libtorch loads is decided once in a process, so each of these takes a process of its own.
    [TestMethod]
    public void AMissingLibtorchFolderIsNamedEveryTime()
    {
        using var folder = new TemporaryFolder();
        if (!IsOtherProcess(folder["nowhere"]))
            return;
        for (var attempt = 0; attempt < 2; attempt++)
            Names(Assert.ThrowsExactly<DirectoryNotFoundException>(TorchLibrary.EnsureLoaded), "nowhere");
        Names(Assert.ThrowsExactly<DirectoryNotFoundException>(() => CoLMModel.Load(folder.Path)), "nowhere");
    }

    [TestMethod]
    public void ALibtorchFolderWithoutItsLibrariesIsNamedWithWhatItLacks()
    {
        using var folder = new TemporaryFolder();
        if (IsOtherProcess(folder.Path))
            Names(Assert.ThrowsExactly<FileNotFoundException>(TorchLibrary.EnsureLoaded), "c10");
    }

    [TestMethod]
    public void ALibtorchFolderThatHoldsSomethingElseIsNamed()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in (string[])["libc10.so", "c10.dll", "libc10.dylib"])
            File.WriteAllText(folder[name], "this is no library");
        if (IsOtherProcess(folder.Path))
            Names(Assert.ThrowsExactly<DllNotFoundException>(TorchLibrary.EnsureLoaded), "COLM_LIBTORCH is");
    }

    [TestMethod]
    public void AnOldLibstdcxxIsNamedWithWhatHelps()
    {
        var reason = new DllNotFoundException("libstdc++.so.6: version `GLIBCXX_3.4.32' not found");
        foreach (var error in (Exception[])[reason, new TypeInitializationException("torch", reason)])
        {
            var message = TorchLibrary.Explained(error, folder: null).Message;
            foreach (var part in (string[])["GLIBCXX_3.4.32", "libstdc++", "Microsoft.ML.CoLM.targets"])
                Assert.Contains(part, message);
        }
        var other = TorchLibrary.Explained(new DllNotFoundException("no such file"), folder: null).Message;
        Assert.DoesNotContain("GLIBCXX", other);
        Assert.Contains("no such file", other);
    }

    [TestMethod]
    public void AMissingLibtorchIsMetFirstWithWhatAUserOfThePackageDoes()
    {
        var message = TorchLibrary.Explained(new DllNotFoundException("no such file"), folder: null).Message;
        Assert.StartsWith("TorchSharp's native libraries could not be loaded. " +
            $"Add the NuGet package TorchSharp-cpu {LibraryVersions.Expected("TorchSharp")}", message);
        Assert.Contains("RuntimeIdentifier", message);
    }

    private static void Names(Exception error, string thing)
    {
        Assert.Contains(FolderVariable, error.Message);
        Assert.Contains(thing, error.Message);
    }

    /// <summary>Whether this is the process that has the folder; otherwise starts it, and it does the rest.</summary>
    private bool IsOtherProcess(string folder)
    {
        if (Environment.GetEnvironmentVariable(PartVariable) is not null)
            return true;
        FreshProcess.RunTest(TestContext, new() { [FolderVariable] = folder, [PartVariable] = "1" });
        return false;
    }
}
