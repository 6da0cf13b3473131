using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>Operations on models of this library, and on whole chains of transformers that hold one.</summary>
public sealed partial class CoLMOperations
{
    private readonly MLContext _mlContext;

    internal CoLMOperations(MLContext mlContext) => _mlContext = mlContext;

    private static IDataView Stoppable(IDataView rows, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? new StoppableDataView(rows, cancellationToken.ThrowIfCancellationRequested) : rows;

    /// <summary>
    /// Saves a fitted pipeline as ML.NET's zip, which <see cref="Load"/> and ML.NET's own <c>Model.Load</c> read. Other
    /// than ML.NET's <c>Model.Save</c>, it leaves the file at <paramref name="path"/> as it was until the new one is
    /// whole and on the disk, whatever happens meanwhile, and weights are in no other file on their way.
    /// </summary>
    /// <remarks>
    /// The zip is written beside its place, as <c>name.random.colm-tmp</c>, and renamed. A save that fails deletes that
    /// file; one that is killed leaves it, and the next save to the same path deletes it when it is a minute old. A file
    /// that is replaced hands on its permissions. A symbolic link is replaced, and what it leads to stays as it is.
    /// </remarks>
    /// <param name="model">The fitted pipeline, or a transformer.</param>
    /// <param name="inputSchema">The schema of the data that it reads; null where nobody will ask for it.</param>
    /// <param name="path">The zip to write; its folder must be there.</param>
    /// <param name="cancellationToken">Ends it before more is written, with the file at the path as it was.</param>
    /// <exception cref="ArgumentException">
    /// <paramref name="path"/> is empty, or the model has more than <see cref="Load"/> reads: 10,000 entries, or 50 folders in
    /// each other, as of chains in chains.
    /// </exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="IOException">
    /// The zip cannot be written, or a folder, a pipe or a device is in its place.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">A transformer was disposed.</exception>
    public void Save(
        ITransformer model, DataViewSchema? inputSchema, string path, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentException.ThrowIfNullOrEmpty(path);
        new ModelZip(_mlContext).Save(model, inputSchema, path, cancellationToken);
    }

    /// <summary>
    /// Loads any zip that ML.NET's <c>Model.Load</c> reads, with or without a model of this library in it. Other than
    /// ML.NET's method, it compares every entry with its checksum, and leaves nothing in the temporary folder.
    /// </summary>
    /// <remarks>
    /// Weights of this library are read straight from the zip. Entries of other components are read into memory;
    /// those that an array cannot hold, or that grow more than a hundredfold, go through a temporary folder that nobody
    /// else may read.
    /// </remarks>
    /// <param name="path">The zip.</param>
    /// <param name="inputSchema">The schema that was saved with the model; null where none was.</param>
    /// <param name="cancellationToken">Ends it before more is read.</param>
    /// <returns>The fitted pipeline, to be disposed where it is <see cref="IDisposable"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">
    /// It is no zip, or holds no model, or is damaged, or unpacks to more than a gigabyte and sixteen times its length
    /// besides the weights; the message names the entry.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="InvalidOperationException">
    /// The GPU of <see cref="MLContext.GpuDeviceId"/> is not there, and falling back is not allowed.
    /// </exception>
    public ITransformer Load(string path, out DataViewSchema inputSchema, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new ModelZip(_mlContext).Load(path, out inputSchema, cancellationToken);
    }
}
