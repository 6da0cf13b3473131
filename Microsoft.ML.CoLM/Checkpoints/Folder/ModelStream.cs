namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>One chain's weights as a stream: the same bytes in a folder and in an ML.NET zip.</summary>
internal static class ModelStream
{
    /// <summary>Writes a chain's weights, each tensor in its own type.</summary>
    public static void WriteChain(CoLMModel model, int chain, Stream stream) =>
        SafetensorsWriter.Write(stream, ChainTensors.ParametersOf(model, chain));

    /// <summary>Checks that a stream holds a chain's tensors; none is read yet.</summary>
    /// <param name="config">The configuration that belongs to the stream.</param>
    /// <param name="chain">The chain.</param>
    /// <param name="stream">Need not be seekable; it is disposed with the result, or at once if it is refused.</param>
    /// <param name="source">The stream's name, for messages.</param>
    /// <param name="length">Its length, where it is known otherwise than from the stream.</param>
    /// <exception cref="InvalidDataException">The header is damaged, or does not describe the chain's tensors.</exception>
    public static WeightFile Open(CoLMConfig config, int chain, Stream stream, string source, long? length = null) =>
        new(new SafetensorsReader(stream, source, length), ChainTensors.Of(config, chain), chain, config.WeightFormats[chain] is not null);

    /// <summary>Reads a chain's weights into a model, converting to its type and device.</summary>
    /// <param name="model">The model, built from the configuration that belongs to the stream.</param>
    /// <param name="chain">The chain.</param>
    /// <param name="stream">Need not be seekable; it is read to its end and disposed.</param>
    /// <param name="source">The stream's name, for messages.</param>
    /// <param name="length">Its length, where it is known otherwise than from the stream.</param>
    /// <exception cref="InvalidDataException">The stream is damaged, or does not hold the chain's tensors.</exception>
    public static void ReadChain(CoLMModel model, int chain, Stream stream, string source, long? length = null)
    {
        using var file = Open(model.Config, chain, stream, source, length);
        file.ReadInto(model, chain);
    }
}
