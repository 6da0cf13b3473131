using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>Operations on this library's models, and on transformer chains that contain one.</summary>
public sealed partial class CoLMOperations
{
    private readonly MLContext _mlContext;

    internal CoLMOperations(MLContext mlContext) => _mlContext = mlContext;

    private static IDataView Stoppable(IDataView rows, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? new StoppableDataView(rows, cancellationToken.ThrowIfCancellationRequested) : rows;

    /// <summary>
    /// Saves a fitted pipeline as an ML.NET zip, which <see cref="Load"/> and ML.NET's own <c>Model.Load</c> read. Unlike
    /// ML.NET's <c>Model.Save</c>, it leaves an existing file at <paramref name="path"/> untouched until the new one is
    /// complete and on disk, and writes weights to no other temporary file.
    /// </summary>
    /// <remarks>
    /// The zip is written to <c>name.random.colm-tmp</c> in the same folder and then renamed. A save that fails deletes that
    /// file; a save that is killed leaves it, and the next save to the same path deletes it once it is a minute old. The
    /// permissions of a replaced file are kept. A symbolic link is replaced, and its target is left as it is.
    /// </remarks>
    /// <param name="model">The fitted pipeline, or a transformer.</param>
    /// <param name="inputSchema">The schema of its input data; null if nobody will ask for it.</param>
    /// <param name="path">The zip to write; its folder must exist.</param>
    /// <param name="cancellationToken">Cancels before more is written; the file at the path stays as it was.</param>
    /// <exception cref="ArgumentException">
    /// <paramref name="path"/> is empty, or the model exceeds what <see cref="Load"/> accepts: 10,000 entries, or folders
    /// nested 50 deep, as in chains of chains.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="IOException">
    /// The zip cannot be written, or the path is a folder, a pipe or a device.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">The folder is not writable.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">A transformer was disposed.</exception>
    public void Save(
        ITransformer model, DataViewSchema? inputSchema, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(path);
        new ModelZip(_mlContext).Save(model, inputSchema, path, cancellationToken);
    }

    /// <summary>
    /// Loads any zip that ML.NET's <c>Model.Load</c> reads, with or without a model of this library. Unlike ML.NET's method, it
    /// verifies every entry's checksum and leaves nothing in the temporary folder.
    /// </summary>
    /// <remarks>
    /// This library's weights are read directly from the zip. Entries of other components are read into memory; those that are
    /// too large for an array, or that expand more than a hundredfold, go through a temporary folder that only the current user
    /// can read.
    /// </remarks>
    /// <param name="path">The zip.</param>
    /// <param name="inputSchema">The schema that was saved with the model; null if there was none.</param>
    /// <param name="cancellationToken">Cancels before more is read.</param>
    /// <returns>The fitted pipeline; dispose it if it is <see cref="IDisposable"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is not a zip, contains no model, is damaged, or expands (weights aside) to more than a gigabyte and sixteen
    /// times its length; the message names the entry.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="InvalidOperationException">
    /// The GPU given by <see cref="MLContext.GpuDeviceId"/> is not available, and falling back to the CPU is not allowed.
    /// </exception>
    public ITransformer Load(string path, out DataViewSchema inputSchema, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new ModelZip(_mlContext).Load(path, out inputSchema, cancellationToken);
    }
}
