using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Blocks of bytes outside the managed heap: in memory up to a budget, then in memory-mapped files.</summary>
/// <remarks>A block is made when it is first asked for. Files are reserved on the disk whole before they are mapped.</remarks>
internal sealed unsafe class SpillBuffer : IDisposable
{
    private readonly List<Block?> _blocks = [];
    private readonly long _blocksInMemory;
    private readonly string? _folder;

    /// <param name="blockLength">Bytes of a block.</param>
    /// <param name="memoryBytes">Bytes that may be kept in memory.</param>
    /// <param name="diskBytes">Bytes that may be kept in files.</param>
    /// <param name="folder">Where the files are; null for none.</param>
    public SpillBuffer(long blockLength, long memoryBytes, long diskBytes, string? folder)
    {
        (BlockLength, _folder) = (blockLength, folder);
        _blocksInMemory = Math.Min(memoryBytes / blockLength, int.MaxValue);
        BlockCount = (int)Math.Min(
            _blocksInMemory + (folder is null ? 0 : Math.Min(diskBytes / blockLength, int.MaxValue)), int.MaxValue);
    }

    public long BlockLength { get; }

    /// <summary>Blocks that the budgets allow.</summary>
    public int BlockCount { get; }

    /// <summary>Bytes of a block, valid as long as the buffer is.</summary>
    /// <exception cref="IOException">There is no room for the block's file.</exception>
    /// <exception cref="OutOfMemoryException">There is no memory for the block.</exception>
    public Span<byte> Bytes(int block, long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start, BlockLength - length);
        while (_blocks.Count <= block)
            _blocks.Add(null);
        var found = _blocks[block] ??= block < _blocksInMemory
            ? Block.InMemory(BlockLength) : Block.OnDisk(BlockLength, _folder!);
        return new(found.Address + start, length);
    }

    public void Dispose()
    {
        foreach (var block in _blocks)
            block?.Dispose();
        _blocks.Clear();
    }

    private sealed class Block : IDisposable
    {
        private readonly FileStream? _file;
        private readonly MemoryMappedFile? _map;
        private readonly MemoryMappedViewAccessor? _view;

        private Block(byte* address) => Address = address;

        private Block(FileStream file, long length)
        {
            _file = file;
            _map = MemoryMappedFile.CreateFromFile(file, mapName: null, length, MemoryMappedFileAccess.ReadWrite,
                HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor(0, length);
            byte* address = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
            Address = address;
        }

        public byte* Address { get; private set; }

        public static Block InMemory(long length) => new((byte*)NativeMemory.Alloc((nuint)length));

        public static Block OnDisk(long length, string folder)
        {
            var file = TemporaryFile.Create(folder, "features", length);
            try
            {
                return new Block(file, length);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }

        public void Dispose()
        {
            if (_view is null)
                NativeMemory.Free(Address);
            _view?.SafeMemoryMappedViewHandle.ReleasePointer();
            _view?.Dispose();
            _map?.Dispose();
            _file?.Dispose();
            Address = null;
        }
    }
}
