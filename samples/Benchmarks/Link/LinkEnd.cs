using System.Diagnostics;
using System.Globalization;

namespace Benchmarks.Link;

/// <summary>A network namespace with a device in it, both of which go away with it.</summary>
internal sealed class LinkEnd : IDisposable
{
    private const string Folder = "/run/netns";
    private const int Network = 24; // bits

    /// <exception cref="InvalidOperationException">The system lets no namespace or device be made.</exception>
    public LinkEnd(string name, string address, int mtu)
    {
        Name = name;
        Device = new TunDevice(name);
        try
        {
            IpTool.Run("netns", "add", name);
            IpTool.Run("link", "set", Device.Name, "netns", name);
            IpTool.Run("-n", name, "link", "set", "lo", "up");
            IpTool.Run("-n", name, "addr", "add", $"{address}/{Network}", "dev", Device.Name);
            IpTool.Run(
                "-n", name, "link", "set", Device.Name, "addrgenmode", "none", "multicast", "off", // IPv6 would send packets of its own
                "mtu", mtu.ToString(CultureInfo.InvariantCulture), "up");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name { get; }

    public TunDevice Device { get; }

    /// <summary>Packets that were not read in time.</summary>
    /// <exception cref="InvalidOperationException">The namespace is gone.</exception>
    public long CountUnread() => long.Parse(
        IpTool.Run("netns", "exec", Name, "cat", $"/sys/class/net/{Device.Name}/statistics/tx_dropped"), CultureInfo.InvariantCulture);

    /// <summary>Ends what still runs in the namespace, and takes it away.</summary>
    public void Dispose()
    {
        KillProcesses();
        Device.Dispose();
        // As 'ip netns del' does it; a program started for it would be interrupted by a second Ctrl+C.
        var path = Path.Combine(Folder, Name);
        if (!File.Exists(path))
            return;
        _ = Libc.Unmount(path, Libc.Detach);
        File.Delete(path);
    }

    private void KillProcesses()
    {
        try
        {
            foreach (var line in IpTool.Run("netns", "pids", Name).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                using var process = Process.GetProcessById(int.Parse(line, CultureInfo.InvariantCulture));
                process.Kill();
            }
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The namespace was not made, or the process has just ended.
        }
    }
}
