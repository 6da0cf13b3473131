using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// The head in the files of a model whose configuration says that it is the embedding. Files may hold both; where they
/// differ, it is the configuration that is wrong, as in transformers.
/// </summary>
internal static class TiedHead
{
    /// <summary>Whether a folder holds an embedding and a head that is another.</summary>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    /// <exception cref="FileNotFoundException">The folder's index names a file that is not there.</exception>
    public static bool IsAnother(string folder, CoLMConfig config)
    {
        var (embedding, head) = (ChainTensors.EmbeddingOf(config), ChainTensors.HeadOf(config));
        if (config.WeightFormats[0] is not null)
            return false;
        if (FileOf(folder, embedding) is not { } embeddingFile || FileOf(folder, head) is not { } headFile)
            return false;
        using var first = SafetensorsReader.Open(embeddingFile);
        using var second = SafetensorsReader.Open(headFile);
        return embedding.FindIn(first.Find) is { } one && head.FindIn(second.Find) is { } other
            && !first.HasSameElements(one, second, other);
    }

    private static string? FileOf(string folder, TensorSpec tensor)
    {
        var path = Path.Combine(folder, ModelFiles.FirstChain);
        if (OrdinaryFile.IsThere(path))
            return path;
        var indexPath = Path.Combine(folder, ModelFiles.ShardIndex);
        return OrdinaryFile.IsThere(indexPath) && ShardIndex.FindFile(indexPath, tensor) is { } shard
            && OrdinaryFile.IsThere(Path.Combine(folder, shard)) ? Path.Combine(folder, shard) : null;
    }
}
