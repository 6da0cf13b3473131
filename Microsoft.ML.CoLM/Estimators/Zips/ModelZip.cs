using System.IO.Compression;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Data;
using Microsoft.ML.Data.IO;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Writes and reads the zips that ML.NET's own <see cref="ModelOperationsCatalog"/> reads and writes.</summary>
/// <param name="mlContext">Whose components are written, and read.</param>
internal sealed class ModelZip(MLContext mlContext)
{
    private const string SchemaEntry = "Schema";
    private const string TransformersFolder = "TransformerChain";
    private const string LegacyFolder = "DataLoaderModel";
    private const string WeightsExtension = ".safetensors";
    private const int BufferLength = 64 << 10;

    // An entry goes through memory, unless it is long for what it was compressed to, or longer than an array.
    private const long AlwaysInMemory = 64 << 20;
    private const long LargestRatioInMemory = 100;

    // Every entry but weights is read to its end before any is believed: of zeros so much in two seconds, and what
    // an honest zip has above that is sixteen times the file at most, being trees and vocabularies.
    private const long AlwaysRead = 1 << 30;
    private const long LargestRatioRead = 16;

    // ML.NET reads chains in chains by recursion: some hundreds of them end the process on a short stack.
    private const int MostFolders = 50;
    private const int MostEntries = 10_000;

    private readonly IHostEnvironment _environment = mlContext;

    /// <summary>Writes a model as a whole or not at all.</summary>
    public void Save(
        ITransformer model, DataViewSchema? inputSchema, string path, CancellationToken cancellationToken = default) =>
        WholeFile.Write(path, file => Save(model, inputSchema, file, cancellationToken));

    private void Save(ITransformer model, DataViewSchema? inputSchema, Stream file, CancellationToken cancellationToken)
    {
        using var stream = new WatchedStream(file, cancellationToken);
        using (var repository = RepositoryWriter.CreateNew(stream, _environment))
        {
            ModelArchive.MakePrivate(repository);
            ModelSaveContext.SaveModel(repository, model, TransformersFolder);
            if (inputSchema is not null)
                SaveSchema(repository, inputSchema);
            if (TooMany(ModelArchive.Names(repository)) is { } refusal)
                throw new ArgumentException($"The model cannot be saved: {refusal}.", nameof(model));
            repository.Commit();
        }
        stream.CheckWritten();
    }

    /// <summary>Reads a model; what is not this library's goes through memory where it can.</summary>
    public ITransformer Load(string path, out DataViewSchema inputSchema, CancellationToken cancellationToken = default)
    {
        if (Directory.Exists(path))
        {
            throw new InvalidDataException($"{path}: a folder is in the place of a zip. A model's folder is read by " +
                $"{nameof(CoLMModel)}.{nameof(CoLMModel.Load)} or Transforms.ElasticScoring(folder).");
        }
        using var file = OrdinaryFile.OpenRead(path);
        using var watched = new WatchedStream(file, cancellationToken);
        using var stream = new BufferedStream(watched, BufferLength);
        try
        {
            var isInMemory = Check(stream, path);
            using var repository = RepositoryReader.Open(stream, _environment, useFileSystem: !isInMemory);
            ModelArchive.MakePrivate(repository);
            inputSchema = LoadSchema(repository)!; // null, as from ML.NET, where the zip has none
            if (inputSchema is null)
            {
                ModelLoadContext.LoadModelOrNull<IDataLoader<IMultiStreamSource>, SignatureLoadModel>(
                    _environment, out var loader, repository, dir: null);
                if (loader is not null)
                    return Parts(loader, out inputSchema);
            }
            if (ModelLoadContext.LoadModelOrNull<ITransformer, SignatureLoadModel>(
                _environment, out var model, repository, TransformersFolder))
            {
                return model;
            }
            using var legacy = repository.OpenEntryOrNull(LegacyFolder, ModelLoadContext.ModelStreamName)
                ?? throw new InvalidDataException($"{path}: the zip holds no model of ML.NET's.");
        }
        catch (Exception e) when (Reason(e) is var reason && (reason != e || IsOfADamagedZip(reason)))
        {
            if (!IsOfADamagedZip(reason))
                ExceptionDispatchInfo.Throw(reason);
            throw reason.Message.StartsWith(path, StringComparison.Ordinal)
                ? reason : new InvalidDataException($"{path}: {reason.Message}", e);
        }
        // From before ML.NET's version 1.0.
        stream.Position = 0;
        return mlContext.Model.Load(stream, out inputSchema);
    }

    /// <summary>Compares the checksums of all entries but weights, which have digests of their own from the version on that has them.</summary>
    /// <returns>Whether these entries can be read into memory.</returns>
    private static bool Check(Stream stream, string path)
    {
        using var archive = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        if (TooMany(archive.Entries.Select(entry => entry.FullName)) is { } refusal)
            throw new InvalidDataException($"{path}: {refusal}.");
        var others = archive.Entries.Where(entry => !entry.Name.EndsWith(WeightsExtension, StringComparison.Ordinal)).ToList();
        CheckLengths(archive.Entries, others, stream.Length, path);
        foreach (var entry in others)
        {
            using var content = entry.Open();
            if (Crc32.Of(content) != (entry.Crc32, entry.Length))
                throw new InvalidDataException($"{path}: the entry '{entry.FullName}' is damaged: its checksum is another.");
        }
        return others.All(FitsMemory);
    }

    private static bool FitsMemory(ZipArchiveEntry entry) => entry.Length <= Array.MaxLength
        && entry.Length <= AlwaysInMemory + LargestRatioInMemory * entry.CompressedLength;

    /// <summary>Refuses what is no honest zip before a byte of it is read: entries that share bytes, or that are mostly zeros.</summary>
    private static void CheckLengths(
        IEnumerable<ZipArchiveEntry> all, IEnumerable<ZipArchiveEntry> others, long fileLength, string path)
    {
        var left = fileLength;
        foreach (var entry in all)
        {
            ZipReader.CheckLength(entry, entry.FullName);
            if (entry.CompressedLength > left)
                throw Wrong(entry, $"and those before it have more bytes than the file's {fileLength}");
            left -= entry.CompressedLength;
            // The schema goes through memory, whatever the rest does.
            if (entry.FullName == SchemaEntry && !FitsMemory(entry))
                throw Wrong(entry, $"cannot be {entry.Length} bytes that were compressed to {entry.CompressedLength}");
        }
        var mayRead = AlwaysRead + LargestRatioRead * fileLength;
        foreach (var entry in others)
        {
            if (entry.Length > mayRead)
                throw Wrong(entry, $"and those before it are too long for a file of {fileLength} bytes");
            mayRead -= entry.Length;
        }

        InvalidDataException Wrong(ZipArchiveEntry entry, FormattableString what) =>
            new($"{path}: the entry '{entry.FullName}' {FormattableString.Invariant(what)}.");
    }

    /// <summary>What is wrong with so many names, or with one of them; null where nothing is.</summary>
    private static string? TooMany(IEnumerable<string> names)
    {
        var count = 0;
        foreach (var name in names)
        {
            if (++count > MostEntries)
                return FormattableString.Invariant($"expected at most {MostEntries} entries, found more, from '{name}' on");
            if (name.Count(c => c is '/' or '\\') is > MostFolders and var depth)
                return FormattableString.Invariant($"expected at most {MostFolders} folders in each other, found {depth} in '{name}'");
        }
        return null;
    }

    private void SaveSchema(RepositoryWriter repository, DataViewSchema schema)
    {
        using var channel = _environment.Start("Saving schema");
        using var entry = repository.CreateEntry(SchemaEntry);
        DataSaverUtils.SaveDataView(channel, new BinarySaver(_environment, new BinarySaver.Arguments { Silent = true }),
            new EmptyDataView(_environment, schema), entry.Stream, keepHidden: true);
    }

    private DataViewSchema? LoadSchema(RepositoryReader repository)
    {
        using var entry = repository.OpenEntryOrNull(SchemaEntry);
        if (entry is null)
            return null;
        var copy = new MemoryStream(); // open as long as the schema's annotations are read from it
        entry.Stream.CopyTo(copy);
        copy.Position = 0;
        return new BinaryLoader(_environment, new BinaryLoader.Arguments(), copy).Schema;
    }

    /// <summary>What was saved with a loader of data: the schema is that of the loader's data.</summary>
    private static ITransformer Parts(IDataLoader<IMultiStreamSource> loader, out DataViewSchema inputSchema)
    {
        var composite = loader as CompositeDataLoader<IMultiStreamSource, ITransformer>;
        inputSchema = (composite?.Loader ?? loader).GetOutputSchema();
        var chain = composite?.Transformer ?? new TransformerChain<ITransformer>();
        // ML.NET wraps whatever is saved with a loader into a chain of one.
        return ((ITransformerChainAccessor)chain).Transformers is [var only] ? only : chain;
    }

    // ML.NET makes components by reflection, which wraps what they throw, and wraps some of that again.
    private static Exception Reason(Exception error) => error switch
    {
        TargetInvocationException { InnerException: { } inner } => Reason(inner),
        InvalidOperationException { InnerException: TargetInvocationException inner } => Reason(inner),
        _ => error,
    };

    // What reading nonsense throws; FormatException is ML.NET's own word for it.
    private static bool IsOfADamagedZip(Exception error) => error is InvalidDataException or FormatException or OverflowException
        or ArgumentException or EndOfStreamException or IndexOutOfRangeException or NullReferenceException
        or InvalidCastException or KeyNotFoundException;
}
