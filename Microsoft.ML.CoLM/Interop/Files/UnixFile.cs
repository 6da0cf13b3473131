using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>What .NET does not offer of the files of Linux and macOS.</summary>
internal static unsafe partial class UnixFile
{
    private const int ReadOnly = 0;
    private const int ReadWrite = 2;

    private const int NotPermitted = 1;
    private const int NoEntry = 2;
    private const int NoDevice = 6; // what opening a socket answers
    private const int AccessDenied = 13;
    private const int NoFolder = 20;
    private const int IsFolder = 21;

    private const int LockExclusively = 2;
    private const int WithoutWaiting = 4;

    // Of statx: relative paths begin at the current folder; the handle itself; a link itself; type, and inode.
    private const int CurrentFolder = -100;
    private const int EmptyPath = 0x1000;
    private const int LinkItself = 0x100;
    private const uint TypeAndInode = 0x101;
    private const int DescriptionLength = 256;

    /// <summary>Whether this system is one of those whose numbers and layouts are known here.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux()
        || (OperatingSystem.IsMacOS() && RuntimeInformation.ProcessArchitecture == Architecture.Arm64);

    private static int WouldBlock => OperatingSystem.IsLinux() ? 11 : 35;

    private static int TooManyLinks => OperatingSystem.IsLinux() ? 40 : 62;

    private static int NonBlocking => OperatingSystem.IsLinux() ? 0x800 : 0x4;

    private static int CloseOnExecute => OperatingSystem.IsLinux() ? 0x80000 : 0x1000000;

    private static int NoFollow => OperatingSystem.IsMacOS() ? 0x100
        : RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;

    /// <summary>Opens what is there; never waits, creates or changes anything.</summary>
    /// <param name="path">The path.</param>
    /// <param name="mayWrite">Whether it is opened to be written, too.</param>
    /// <param name="followLinks">Whether a link as the last part of the path is followed, or refused.</param>
    /// <exception cref="FileNotFoundException">There is nothing.</exception>
    /// <exception cref="DirectoryNotFoundException">A folder on the way is none.</exception>
    /// <exception cref="InvalidDataException">It is a folder that cannot be written, or a socket.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened so.</exception>
    /// <exception cref="IOException">It is a link that is not followed, or the system has another reason.</exception>
    public static SafeFileHandle Open(string path, bool mayWrite, bool followLinks)
    {
        var handle = new SafeFileHandle(Open(path,
            (mayWrite ? ReadWrite : ReadOnly) | NonBlocking | CloseOnExecute | (followLinks ? 0 : NoFollow)), ownsHandle: true);
        if (!handle.IsInvalid)
            return handle;
        handle.Dispose();
        var (error, message) = (Marshal.GetLastPInvokeError(), $"'{path}': {Marshal.GetLastPInvokeErrorMessage()}");
        throw error switch
        {
            NoEntry => new FileNotFoundException(message, path),
            NoFolder => new DirectoryNotFoundException(message),
            NoDevice or IsFolder => OrdinaryFile.Refuse(path),
            _ when error == TooManyLinks && !followLinks => new IOException($"'{path}' is a link, and links are not followed here."),
            NotPermitted or AccessDenied => new UnauthorizedAccessException(message),
            _ => new IOException(message, error),
        };
    }

    /// <summary>Takes the lock of an open file for its handle, unless another has it.</summary>
    /// <returns>Whether no other has it; also where the file system knows no locks.</returns>
    public static bool TryLock(SafeFileHandle handle) =>
        Lock(handle, LockExclusively | WithoutWaiting) == 0 || Marshal.GetLastPInvokeError() != WouldBlock;

    /// <summary>What an open file is.</summary>
    public static UnixFileDescription Describe(SafeFileHandle handle)
    {
        var buffer = stackalloc byte[DescriptionLength];
        var isAdded = false;
        try
        {
            handle.DangerousAddRef(ref isAdded);
            var number = (int)handle.DangerousGetHandle();
            var result = OperatingSystem.IsLinux()
                ? StatX(number, "", EmptyPath, TypeAndInode, buffer) : FStat(number, buffer);
            return result == 0 ? Description(buffer) : throw new IOException(Marshal.GetLastPInvokeErrorMessage());
        }
        finally
        {
            if (isAdded)
                handle.DangerousRelease();
        }
    }

    /// <summary>What a path is, of a link the link; null where there is nothing that can be reached.</summary>
    public static UnixFileDescription? Describe(string path)
    {
        var buffer = stackalloc byte[DescriptionLength];
        var result = OperatingSystem.IsLinux()
            ? StatX(CurrentFolder, path, LinkItself, TypeAndInode, buffer) : LStat(path, buffer);
        return result == 0 ? Description(buffer) : null;
    }

    // The fields' places in Linux's struct statx, on every processor, and in struct stat of macOS on ARM.
    private static UnixFileDescription Description(byte* buffer) => OperatingSystem.IsLinux()
        ? new(*(ushort*)(buffer + 28), *(ulong*)(buffer + 136), *(ulong*)(buffer + 32))
        : new(*(ushort*)(buffer + 4), *(uint*)buffer, *(ulong*)(buffer + 8));

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(int folder, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
    private static partial int FStat(int handle, byte* buffer);

    [LibraryImport("libc", EntryPoint = "lstat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LStat(string path, byte* buffer);
}
