using System.Text;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads and writes a model's folder.</summary>
internal static class ModelFolder
{
    // Tries to open files that all belong to one save, and the time between two of them.
    private const int Attempts = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Checks all files against the configuration, then builds the model and fills it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="chainCount">How many chains; null for all.</param>
    /// <param name="device">Where the weights go.</param>
    /// <param name="dtype">Their type; null for the stored one.</param>
    /// <param name="formats">Formats to quantise each chain to while it is read, or one for all; null for none.</param>
    /// <param name="cancellationToken">Cancels before the next tensor is read.</param>
    public static CoLMModel Load(
        string folder, int? chainCount, Device device, ScalarType? dtype, IReadOnlyList<WeightFormat?>? formats = null,
        CancellationToken cancellationToken = default)
    {
        if (dtype is { } asked && !ChainModule.CanHoldWeights(asked))
            throw new ArgumentException($"A model's type is Float32, BFloat16 or Float16, not {asked}.", nameof(dtype));
        GivenFolder.Check(folder);
        using var files = Open(folder, chainCount);
        var features = ChainTensors.FeaturesOf(files.Config);
        dtype ??= files.Weights.Select(entry => entry.File.StoredType(features)).First(type => type != null);
        var config = formats is null ? files.Config : files.Config with
        {
            WeightFormats = files.Config.Quantized(
                formats.Count == 1 ? [.. Enumerable.Repeat(formats[0], files.Config.ChainCount)] : formats, nameof(formats)),
        };
        var model = new CoLMModel(config, device, dtype!.Value)
        {
            TokenizerFiles = files.Tokenizer,
            KeptFiles = files.Kept,
            GenerationEndTokenIds = files.EndTokenIds,
            Warnings = files.Warnings,
        };
        try
        {
            foreach (var (chain, file) in files.Weights)
                file.ReadInto(model, chain, cancellationToken);
            files.Task?.ReadInto(model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Checks all files against the configuration, and reads no weights.</summary>
    public static CoLMModelInfo Inspect(string folder)
    {
        GivenFolder.Check(folder);
        using var files = Open(folder, chainCount: null);
        return new CoLMModelInfo(files);
    }

    /// <summary>Writes the first chains of a model in place of the model that the folder may hold.</summary>
    public static void Save(
        CoLMModel model, string folder, int chainCount, IFolderFiles files, CancellationToken cancellationToken = default)
    {
        var config = model.Config.WithChainCount(chainCount);
        var json = ConfigJson.Write(config, model.DataType);

        var contents = new List<(string Name, Action<Stream> Write)>();
        for (var i = 0; i < chainCount; i++)
        {
            var chain = i;
            contents.Add((ModelFiles.OfChain(chain, config.WeightFormats[chain] is not null), stream => ModelStream.WriteChain(model, chain, stream)));
        }
        if (model.Task is { } task)
            contents.Add((ModelFiles.TaskHead, stream => TaskHeadFile.Write(stream, task, chainCount)));
        foreach (var (name, bytes) in model.SideFiles)
            contents.Add((name, stream => stream.Write(bytes)));
        // Last: other tools take a folder with a configuration for a complete model.
        contents.Add((ModelFiles.Config, stream => stream.Write(Encoding.UTF8.GetBytes(json))));

        (string, Action<Stream>)[] stoppable = [.. contents.Select(content => (content.Name, (Action<Stream>)(stream =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            content.Write(stream);
        })))];
        FolderSave.Write(folder, stoppable, () => Stale(folder, [.. contents.Select(content => content.Name)]), files);
    }

    /// <summary>The architecture of the model that a folder holds; its weights are not looked at.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="warnings">Gets what was passed over; null where nobody asks.</param>
    /// <exception cref="IOException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is broken or not supported.</exception>
    public static CoLMConfig ReadConfig(string folder, List<string>? warnings = null)
    {
        var path = Path.Combine(folder, ModelFiles.Config);
        if (!OrdinaryFile.IsThere(path))
        {
            throw new FileNotFoundException(
                $"The model folder '{folder}' has no {ModelFiles.Config}.{GivenFolder.Advice(folder)}", path);
        }
        using var text = new StreamReader(new MemoryStream(BoundedFile.ReadAllBytes(path, FileLimits.ConfigJson)));
        return ConfigJson.Read(text.ReadToEnd(), path, warnings);
    }

    /// <summary>The architecture of the model that a folder holds; null where it cannot be read, now or at all.</summary>
    public static CoLMConfig? TryReadConfig(string folder)
    {
        try
        {
            return FolderSave.HasPlan(folder) ? null : ReadConfig(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException)
        {
            return null; // Loading says what is wrong with it.
        }
    }

    /// <summary>The settings of the task that a folder's model was tuned for; null where there is none, or no folder.</summary>
    /// <exception cref="InvalidDataException">The task's file, or the configuration, is damaged or not supported.</exception>
    public static string? ReadTask(string folder)
    {
        if (!OrdinaryFile.IsThere(Path.Combine(folder, ModelFiles.TaskHead)))
            return null;
        using var file = TaskHeadFile.TryOpen(folder, ReadConfig(folder));
        return file?.Settings;
    }

    // A save beside this may replace the files one after the other while they are opened. Once all of them are open
    // they stay what they are, whatever gets their names.
    private static OpenModel Open(string folder, int? chainCount)
    {
        for (var attempt = 1; ; attempt++)
        {
            FolderSave.Finish(folder, DiskFiles.Instance);
            var before = StateOf(folder);
            bool IsUnchanged() => before is not null && before == StateOf(folder);
            try
            {
                var opened = OpenFiles(folder, chainCount);
                if (IsUnchanged())
                    return opened;
                opened.Dispose();
            }
            catch (Exception) when (attempt < Attempts && !IsUnchanged())
            {
            }
            if (attempt == Attempts)
                throw new IOException($"The files of the model folder '{folder}' kept changing while they were opened.");
            Thread.Sleep(Pause);
        }
    }

    /// <summary>
    /// Names, lengths, times and inodes of a model's files, since two saves within a tick of the file system's clock leave equal
    /// times; null while some are those of a save, and some are not.
    /// </summary>
    internal static string? StateOf(string folder) => FolderSave.HasPlan(folder) ? null : string.Join('\n',
        new DirectoryInfo(folder).EnumerateFiles()
            .Where(file => file.Name == ModelFiles.Config || ModelFiles.IsWeights(file.Name) || ModelFiles.IsSideFile(file.Name))
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .Select(file => $"{file.Name} {(file.Exists ? file.Length : -1)} {file.LastWriteTimeUtc.Ticks} " +
                $"{(UnixFile.IsSupported ? UnixFile.Describe(file.FullName)?.Inode : 0)}"));

    private static OpenModel OpenFiles(string folder, int? chainCount)
    {
        var warnings = new List<string>();
        var stored = ReadConfig(folder, warnings);
        var config = stored.WithChainCount(chainCount ?? stored.ChainCount);
        if (config.TieWordEmbeddings && TiedHead.IsAnother(folder, config))
        {
            config = config with { TieWordEmbeddings = false };
            warnings.Add($"{Path.Combine(folder, ModelFiles.Config)}: \"tie_word_embeddings\" is true, but the files hold a " +
                "head that is another than the embedding; that head is used.");
        }
        var weights = new List<(int Chain, WeightFile File)>();
        TaskHeadFile? task = null;
        try
        {
            for (var chain = 0; chain < config.ChainCount; chain++)
            {
                foreach (var file in OpenChain(folder, config, chain))
                    weights.Add((chain, file));
            }
            task = TaskHeadFile.TryOpen(folder, stored);
            var tokenizer = TokenizerFiles.TryRead(folder);
            var kept = KeptFiles.Read(folder, [.. tokenizer?.Files.Select(file => file.Key) ?? []]);
            return new OpenModel(
                config, weights, tokenizer, kept, kept.EndTokenIds(config.VocabularySize, folder, warnings), warnings,
                task);
        }
        catch
        {
            task?.Dispose();
            foreach (var (_, file) in weights)
                file.Dispose();
            throw;
        }
    }

    private static IEnumerable<WeightFile> OpenChain(string folder, CoLMConfig config, int chain)
    {
        var isQuantised = config.WeightFormats[chain] is not null;
        var path = Path.Combine(folder, ModelFiles.OfChain(chain, isQuantised));
        var indexPath = Path.Combine(folder, ModelFiles.ShardIndex);
        var expected = ChainTensors.Of(config, chain);
        if (OrdinaryFile.IsThere(path))
        {
            yield return new WeightFile(SafetensorsReader.Open(path), expected, chain, isQuantised);
        }
        else if (chain == 0 && !isQuantised && OrdinaryFile.IsThere(indexPath))
        {
            foreach (var (shard, tensors) in ShardIndex.Assign(indexPath, expected))
            {
                var shardPath = Path.Combine(folder, shard);
                if (!OrdinaryFile.IsThere(shardPath))
                {
                    throw new FileNotFoundException(
                        $"{indexPath} names '{shard}', which is not in the folder.", shardPath);
                }
                yield return new WeightFile(SafetensorsReader.Open(shardPath), tensors, chain, isQuantised: false);
            }
        }
        else
        {
            throw new FileNotFoundException(MissingWeights(folder, config, chain), path);
        }
    }

    private static string MissingWeights(string folder, CoLMConfig config, int chain)
    {
        if (chain > 0 || config.WeightFormats[chain] is not null)
        {
            return $"The model folder '{folder}' has no {ModelFiles.OfChain(chain, isQuantised: true)}, the weights of chain " +
                $"{chain + 1} of {config.ChainCount} ({{{config.Layout}}}).";
        }
        return $"The model folder '{folder}' has no weights, neither {ModelFiles.FirstChain} nor " +
            $"{ModelFiles.ShardIndex}.{GivenFolder.Advice(folder)}";
    }

    // What is left of the model that was here before: files, and links to whatever it is, that loading the new one would
    // take for its own. A tokenizer that was put where no model is stays, a link that leads to no file does not.
    private static List<string> Stale(string folder, HashSet<string> written)
    {
        var names = Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)).ToList();
        var replacesModel = names.Contains(ModelFiles.Config);
        return [.. names
            .Where(name => ModelFiles.IsWeights(name)
                || (ModelFiles.IsSideFile(name) && (replacesModel || !File.Exists(Path.Combine(folder, name)))))
            .Where(name => !written.Contains(name))
            .Order(StringComparer.Ordinal)];
    }
}
