using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>What only Unix's folders hold.</summary>
internal static partial class UnixOnly
{
    /// <summary>Ends the test as inconclusive on Windows.</summary>
    public static void Require()
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("This test makes links and pipes, which need Unix or an administrator of Windows.");
    }

    /// <summary>A pipe with a name: who opens it waits until somebody opens the other end.</summary>
    public static void MakePipe(string path)
    {
        File.Delete(path);
        Assert.AreEqual(0, MakeFifo(path, 0x1B6));
    }

    /// <summary>The name of a socket, which stays when the socket is closed.</summary>
    public static void MakeSocket(string path) => Assert.AreEqual(0, MakeNode(path, 0xC1B6, 0));

    /// <summary>A second name of a file.</summary>
    public static void MakeHardLink(string path, string target) => Assert.AreEqual(0, Link(target, path));

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeFifo(string path, uint mode);

    [LibraryImport("libc", EntryPoint = "mknod", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeNode(string path, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string target, string path);
}
