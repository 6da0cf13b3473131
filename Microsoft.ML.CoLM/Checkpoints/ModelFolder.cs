using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads and writes a model's folder.</summary>
internal static class ModelFolder
{
    /// <summary>Checks all files against the configuration, then builds the model and fills it.</summary>
    public static CoLMModel Load(string folder, int? chainCount, Device device, ScalarType? dtype)
    {
        if (dtype is { } asked && !ElementType.CanHoldWeights(asked))
            throw new ArgumentException($"A model's type is Float32, BFloat16 or Float16, not {asked}.", nameof(dtype));
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"There is no model folder '{folder}'.");
        FolderSave.Finish(folder, DiskFiles.Instance);

        var config = ReadConfig(folder);
        config = config.WithChainCount(chainCount ?? config.ChainCount);
        var files = new List<(int Chain, WeightFile File)>();
        try
        {
            for (var chain = 0; chain < config.ChainCount; chain++)
            {
                foreach (var file in OpenChain(folder, config, chain))
                    files.Add((chain, file));
            }
            dtype ??= files.Select(entry => entry.File.StoredType(ChainTensors.Embedding)).First(type => type != null);
            return Fill(new CoLMModel(config, device, dtype!.Value), files, folder);
        }
        finally
        {
            foreach (var (_, file) in files)
                file.Dispose();
        }
    }

    /// <summary>Writes the first chains of a model in place of the model that the folder may hold.</summary>
    public static void Save(CoLMModel model, string folder, int chainCount, IFolderFiles files)
    {
        var config = model.Config.WithChainCount(chainCount);
        var json = ConfigJson.Write(config, model.DataType);

        var contents = new List<(string Name, Action<Stream> Write)>();
        for (var i = 0; i < chainCount; i++)
        {
            var chain = i;
            contents.Add((ModelFiles.OfChain(chain), stream => ModelStream.WriteChain(model, chain, stream)));
        }
        foreach (var (name, bytes) in model.TokenizerFiles?.Files ?? [])
            contents.Add((name, stream => stream.Write(bytes)));
        // Last: other tools take a folder with a configuration for a complete model.
        contents.Add((ModelFiles.Config, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(json))));

        FolderSave.Write(folder, contents, () => Stale(folder, [.. contents.Select(content => content.Name)]), files);
    }

    private static CoLMConfig ReadConfig(string folder)
    {
        var path = Path.Combine(folder, ModelFiles.Config);
        if (!File.Exists(path))
            throw new FileNotFoundException($"The model folder '{folder}' has no {ModelFiles.Config}.", path);
        return ConfigJson.Read(File.ReadAllText(path), path);
    }

    private static CoLMModel Fill(CoLMModel model, List<(int Chain, WeightFile File)> files, string folder)
    {
        try
        {
            foreach (var (chain, file) in files)
                file.ReadInto(ChainTensors.ParametersOf(model, chain));
            model.TokenizerFiles = TokenizerFiles.TryRead(folder);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static IEnumerable<WeightFile> OpenChain(string folder, CoLMConfig config, int chain)
    {
        var path = Path.Combine(folder, ModelFiles.OfChain(chain));
        var indexPath = Path.Combine(folder, ModelFiles.ShardIndex);
        var expected = ChainTensors.Of(config, chain);
        if (File.Exists(path))
        {
            yield return new WeightFile(SafetensorsReader.Open(path), expected, chain);
        }
        else if (chain == 0 && File.Exists(indexPath))
        {
            foreach (var (shard, tensors) in ShardIndex.Assign(indexPath, expected))
            {
                var shardPath = Path.Combine(folder, shard);
                if (!File.Exists(shardPath))
                {
                    throw new FileNotFoundException(
                        $"{indexPath} names '{shard}', which is not in the folder.", shardPath);
                }
                yield return new WeightFile(SafetensorsReader.Open(shardPath), tensors, chain);
            }
        }
        else
        {
            throw new FileNotFoundException(MissingWeights(folder, config, chain), path);
        }
    }

    private static string MissingWeights(string folder, CoLMConfig config, int chain)
    {
        if (chain > 0)
        {
            return $"The model folder '{folder}' has no {ModelFiles.OfChain(chain)}, the weights of chain " +
                $"{chain + 1} of {config.ChainCount} ({{{config.Layout}}}).";
        }
        var others = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file))
            .Where(name => Path.GetExtension(name) is ".bin" or ".gguf" or ".pth" or ".pt")
            .Order(StringComparer.Ordinal).ToList();
        return $"The model folder '{folder}' has no weights, neither {ModelFiles.FirstChain} nor " +
            $"{ModelFiles.ShardIndex}." +
            (others.Count == 0 ? "" : $" Only safetensors are read, not {string.Join(", ", others)}.");
    }

    // What is left of the model that was here before: files that loading the new one would take for its own.
    private static List<string> Stale(string folder, HashSet<string> written)
    {
        var names = Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)).ToList();
        var replacesModel = names.Contains(ModelFiles.Config);
        return [.. names
            .Where(name => ModelFiles.IsWeights(name) || (replacesModel && ModelFiles.IsTokenizer(name)))
            .Where(name => !written.Contains(name))
            .Order(StringComparer.Ordinal)];
    }
}
