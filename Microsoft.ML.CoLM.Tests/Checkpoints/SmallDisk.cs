using System.Diagnostics;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>A disk of a megabyte, mounted for one test.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TemporaryFolder _mount = new();

    public SmallDisk()
    {
        if (OperatingSystem.IsLinux() && Run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", Path) == 0)
            return;
        _mount.Dispose();
        Assert.Inconclusive("This test fills a disk of one megabyte of its own: it needs Linux, and root to mount that.");
    }

    public string Path => _mount.Path;

    private string Filler => this["filler"];

    public string this[string name] => _mount[name];

    /// <summary>Leaves so many bytes free.</summary>
    public void Fill(int bytesLeft) =>
        File.WriteAllBytes(Filler, new byte[new DriveInfo(Path).AvailableFreeSpace - bytesLeft]);

    /// <summary>Frees what was filled.</summary>
    public void Free() => File.Delete(Filler);

    /// <summary>Lets nothing be written any more, or lets it again.</summary>
    public void MakeReadOnly(bool isReadOnly) =>
        Assert.AreEqual(0, Run("mount", "-o", $"remount,{(isReadOnly ? "ro" : "rw")}", Path));

    public void Dispose()
    {
        Run("umount", Path);
        _mount.Dispose();
    }

    private static int Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
