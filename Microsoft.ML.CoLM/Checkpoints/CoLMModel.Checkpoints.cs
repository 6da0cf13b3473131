using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>Loads a model from a CoLM folder, or an ordinary LLaMA from a Hugging Face folder.</summary>
    /// <param name="folder">
    /// Contains <c>config.json</c>, the first chain's <c>model.safetensors</c> (or its shards with their index),
    /// <c>chain-2.safetensors</c> and so on, usually a tokenizer, and, for a tuned model, <c>task-head.safetensors</c>.
    /// </param>
    /// <param name="chainCount">
    /// The number of chains to load, at least 1; files of later chains are not opened. Null loads all.
    /// </param>
    /// <param name="device">The device of the weights; null is the CPU.</param>
    /// <param name="dtype">
    /// Float32, BFloat16 or Float16, to which weights of other types are converted; null is the stored type of the first
    /// chain's embedding.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next tensor is read.</param>
    /// <returns>
    /// The model, which the caller disposes. Parameters of chain i have the shapes of chain i's file, for example
    /// [c_i · d, D_1 + ... + D_i] for its queries.
    /// </returns>
    /// <remarks>
    /// <para>
    /// The configuration may scale the rotary embedding (<see cref="RopeScaling"/>: <c>linear</c>, <c>dynamic</c>, <c>yarn</c>,
    /// <c>llama3</c>). If it ties the head to the embedding but the files contain a different head, that head is used, as in
    /// transformers. Tensor names may lack <c>model.</c>, and the first chain's file may contain more than is needed. The
    /// end-of-text ids in <c>generation_config.json</c> become <see cref="EndTokenIds"/>; this file, <c>added_tokens.json</c>,
    /// <c>special_tokens_map.json</c>, <c>chat_template.jinja</c>, <c>chat_template.json</c>, <c>vocab.json</c> and
    /// <c>merges.txt</c> are kept with the model, byte for byte, for <see cref="Save"/> and for zips. <see cref="Warnings"/>
    /// lists what was ignored.
    /// </para>
    /// <para>
    /// All files are opened and checked against the configuration before memory is allocated for the weights; during a
    /// concurrent <see cref="Save"/> to the same folder, they are either the old model's or the new one's. If a crash
    /// interrupted a save after everything was written, loading first gives the new files their names; otherwise nothing is
    /// written. Links are followed for reading, never for writing.
    /// </para>
    /// </remarks>
    /// <exception cref="DirectoryNotFoundException">
    /// The folder does not exist, or the path is a file; if it is a zip, a weights file, or a model's name on a hub, the
    /// message says what to do with it.
    /// </exception>
    /// <exception cref="FileNotFoundException">
    /// The folder has no <c>config.json</c>, or lacks weights; the message says if it holds checkpoints or other formats.
    /// </exception>
    /// <exception cref="IOException">
    /// An interrupted save could not be completed, or the files kept changing while they were being opened.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The configuration is for another architecture or has settings that this library does not support; a file is damaged,
    /// longer than any of its kind, or not a regular file; a tensor is missing, has the wrong shape, a type other than F32,
    /// BF16 and F16 (of a quantised chain, other than its format's), NaN or infinite elements, or scales of zero.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="chainCount"/> is below 1 or above the stored model's.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="folder"/> is empty, or <paramref name="dtype"/> is not a weight type.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="DllNotFoundException">TorchSharp's native libraries cannot be loaded.</exception>
    /// <exception cref="NotSupportedException">
    /// The version of TorchSharp or ML.NET is not the one that this library requires.
    /// </exception>
    public static CoLMModel Load(
        string folder, int? chainCount = null, Device? device = null, ScalarType? dtype = null,
        CancellationToken cancellationToken = default)
    {
        TorchLibrary.EnsureLoaded();
        return ModelFolder.Load(folder, chainCount, device ?? CPU, dtype, formats: null, cancellationToken);
    }

    /// <summary>
    /// Loads a model and quantises its chains while they are read, so that its weights are never in memory as numbers but for a
    /// few rows of a matrix.
    /// </summary>
    /// <param name="folder">As for <see cref="Load"/>.</param>
    /// <param name="formats">
    /// The format of each chain that is loaded, the first chain's first, or a single one for all; null leaves a chain as it is
    /// stored. The result is that of <see cref="Quantize(WeightFormat?[])"/>.
    /// </param>
    /// <param name="chainCount">The number of chains to load, at least 1; null loads all.</param>
    /// <param name="device">The device of the weights; null is the CPU.</param>
    /// <param name="dtype">
    /// The type of norms, features and caches: Float32, BFloat16 or Float16; null is the stored type of the first chain's embedding.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next tensor is read.</param>
    /// <exception cref="ArgumentException">
    /// There is neither one format nor one for each chain, one is not a defined value, a chain to quantise is stored quantised,
    /// <paramref name="folder"/> is empty, or <paramref name="dtype"/> is not a weight type.
    /// </exception>
    /// <inheritdoc cref="Load"/>
    public static CoLMModel LoadQuantized(
        string folder, IReadOnlyList<WeightFormat?> formats, int? chainCount = null, Device? device = null, ScalarType? dtype = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(formats);
        TorchLibrary.EnsureLoaded();
        return ModelFolder.Load(folder, chainCount, device ?? CPU, dtype, formats, cancellationToken);
    }

    /// <summary>
    /// Saves the model, or its first chains, as a folder that Hugging Face's tools can also read, unless the first chain is quantised.
    /// </summary>
    /// <param name="folder">
    /// Created if missing; it may be the one that the model was loaded from. An existing model in it is replaced: its weights,
    /// tokenizer files and other files that <see cref="Load"/> keeps are deleted if this model does not have them. All other
    /// files, such as a README or a licence, stay.
    /// </param>
    /// <param name="chainCount">The number of chains to save, at least 1; null saves all.</param>
    /// <param name="cancellationToken">
    /// Cancels before the next file is written, with the old model untouched; once all are written, the save completes.
    /// </param>
    /// <remarks>
    /// The files that came with the model, including the tokenizer's and <c>generation_config.json</c>, are written unchanged,
    /// even if the model was grown or tuned from another. A loaded configuration keeps its text except for what has changed
    /// since. A tuned model's task is saved too, as <c>task-head.safetensors</c> with the saved chains' part of its head:
    /// <see cref="CoLMCatalog.ElasticScoring(TransformsCatalog, string, int?, string)"/> creates a transformer for that task
    /// from the folder. It includes the columns and settings, but not a cascade, which belongs to a transformer. Adapters
    /// (<see cref="LoraOptions"/>) are merged into the saved weights, because the format has none. All files are complete under
    /// temporary names before the first one is renamed. A crash or an exception at any moment, such as a full disk, leaves a
    /// folder from which <see cref="Load"/> gets the old model or the new one.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="chainCount"/> is below 1 or above the model's.
    /// </exception>
    /// <exception cref="IOException">
    /// The folder is being saved to elsewhere, a folder has a file's name, or a file could not be written, and the old model is
    /// untouched; or a file could not be renamed, and the next <see cref="Load"/> or <see cref="Save"/> completes the new
    /// model.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The folder contains the plan of an interrupted save that is damaged or names files that are not a model's.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="NotSupportedException">
    /// A weight was converted to a type other than Float32, BFloat16 or Float16.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public void Save(string folder, int? chainCount = null, CancellationToken cancellationToken = default)
    {
        using var use = Enter();
        GivenFolder.CheckIsNamed(folder, nameof(folder));
        if (Adapters is not null)
        {
            using var merged = MergeAdapters();
            merged.Save(folder, chainCount, cancellationToken);
            return;
        }
        ModelFolder.Save(this, folder, chainCount ?? Config.ChainCount, DiskFiles.Instance, cancellationToken);
    }
}
