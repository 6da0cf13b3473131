namespace Microsoft.ML.CoLM.Interop;

/// <summary>What Unix says of a file, a folder, or what else a path may lead to.</summary>
/// <param name="Mode">Its type and permissions, <c>st_mode</c>.</param>
/// <param name="Device">The file system's number.</param>
/// <param name="Inode">Its number there; with the device it tells files apart, whatever their names.</param>
internal readonly record struct UnixFileDescription(ushort Mode, ulong Device, ulong Inode)
{
    private const int TypeBits = 0xF000;
    private const int Ordinary = 0x8000;

    /// <summary>Whether it is a file that holds bytes, no folder, link, pipe, socket or device.</summary>
    public bool IsOrdinary => (Mode & TypeBits) == Ordinary;

    /// <summary>Whether both are the same file.</summary>
    public bool IsSameAs(UnixFileDescription? other) =>
        other is { } found && (found.Device, found.Inode) == (Device, Inode);
}
