using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>Loads a model from a CoLM folder, or an ordinary LLaMA from a Hugging Face folder.</summary>
    /// <param name="folder">
    /// Holds <c>config.json</c>, the first chain's <c>model.safetensors</c> (or its shards with their index),
    /// <c>chain-2.safetensors</c> and so on, usually a tokenizer, and, of a tuned model, <c>task-head.safetensors</c>.
    /// </param>
    /// <param name="chainCount">
    /// How many chains to load, from 1 on; files of later chains are not opened. Null loads all.
    /// </param>
    /// <param name="device">Where the weights go; null is the CPU.</param>
    /// <param name="dtype">
    /// Float32, BFloat16 or Float16, to which weights of other types are converted; null is the type that the first
    /// chain's embedding is stored in.
    /// </param>
    /// <param name="cancellationToken">Ends it before the next tensor is read.</param>
    /// <returns>
    /// The model, which the caller disposes. Parameters of chain i have the shapes of chain i's file, for example
    /// [c_i · d, D_1 + ... + D_i] for its queries.
    /// </returns>
    /// <remarks>
    /// <para>
    /// The configuration may scale the rotary embedding (<see cref="RopeScaling"/>: <c>linear</c>, <c>dynamic</c>, <c>yarn</c>,
    /// <c>llama3</c>). Where it says that the head is the embedding and the files hold a head that is another, that head is used,
    /// as in transformers. Tensors may be named without <c>model.</c>, and the first chain's file may hold more than is needed.
    /// What <c>generation_config.json</c> says of the end of texts becomes <see cref="EndTokenIds"/>; this file,
    /// <c>added_tokens.json</c>, <c>special_tokens_map.json</c>, <c>chat_template.jinja</c>, <c>chat_template.json</c>,
    /// <c>vocab.json</c> and <c>merges.txt</c> are kept with the model, byte for byte, for <see cref="Save"/> and for zips.
    /// <see cref="Warnings"/> has what was passed over.
    /// </para>
    /// <para>
    /// All files are opened and checked against the configuration before memory is taken for the weights; beside a
    /// <see cref="Save"/> to the same folder, they are those of the old model or of the new one. If a crash interrupted a
    /// save after all was written, loading first gives the new files their names; otherwise nothing is written. Links are
    /// followed to what is read, never to what is written.
    /// </para>
    /// </remarks>
    /// <exception cref="DirectoryNotFoundException">
    /// There is no such folder, or the path is a file's; where it is a zip, a file of weights, or a model's name on a hub,
    /// the message says what to do with it.
    /// </exception>
    /// <exception cref="FileNotFoundException">
    /// The folder has no <c>config.json</c>, or lacks weights; the message says so of checkpoints and other formats.
    /// </exception>
    /// <exception cref="IOException">
    /// An interrupted save could not be finished, or the files kept changing while they were opened.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The configuration is of another architecture or has settings that this library does not compute; a file is
    /// damaged, longer than any of its kind, or no ordinary file; a tensor is missing, has another shape, another type than
    /// F32, BF16 and F16, or elements that are NaN or infinite.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="chainCount"/> is below 1 or above the stored model's.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// <paramref name="folder"/> is empty, or <paramref name="dtype"/> is no type of weights.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="DllNotFoundException">TorchSharp's native libraries cannot be loaded.</exception>
    /// <exception cref="NotSupportedException">TorchSharp or ML.NET is of another version than this library needs.</exception>
    public static CoLMModel Load(
        string folder, int? chainCount = null, Device? device = null, ScalarType? dtype = null,
        CancellationToken cancellationToken = default)
    {
        TorchLibrary.EnsureLoaded();
        return ModelFolder.Load(folder, chainCount, device ?? CPU, dtype, cancellationToken);
    }

    /// <summary>Writes the model, or its first chains, as a folder that Hugging Face's tools read, too.</summary>
    /// <param name="folder">
    /// Created if missing; it may be the one the model was loaded from. A model that it holds is replaced: weights, tokenizer
    /// files and other files that <see cref="Load"/> keeps, of that model, which this one does not have are deleted. All
    /// other files, such as a README or a licence, stay.
    /// </param>
    /// <param name="chainCount">How many chains to write, from 1 on; null writes all.</param>
    /// <param name="cancellationToken">
    /// Ends it before the next file is written, with the old model untouched; once all are there, they get their names.
    /// </param>
    /// <remarks>
    /// The files that the model came with, the tokenizer's and <c>generation_config.json</c> among them, are written as they
    /// were, also by a model that was grown or tuned from another. A configuration that was read keeps its text, but for what has changed since.
    /// What the model was tuned for is written, too, with the head of the chains that are, as <c>task-head.safetensors</c>:
    /// <see cref="CoLMCatalog.ElasticScoring(TransformsCatalog, string, int?, string)"/> makes a transformer of that task of the
    /// folder. Its columns and settings are in it, but no cascade, which a transformer has.
    /// Adapters (<see cref="LoraOptions"/>) are merged into the weights that are written: the format has none. Files are
    /// complete under temporary names before the first takes its place. A crash or an exception at any
    /// moment, such as a full disk, leaves a folder from which <see cref="Load"/> gets the old model or the new one.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="chainCount"/> is below 1 or above the model's.
    /// </exception>
    /// <exception cref="IOException">
    /// Somebody else is saving to the folder, a folder has the name of a file, or a file could not be written, and the old
    /// model is untouched; or it could not be given its name, and the next <see cref="Load"/> or <see cref="Save"/> completes the new model.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The folder has the plan of an interrupted save, and it is damaged or names files that are not a model's.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NotSupportedException">
    /// A weight was moved to another type than Float32, BFloat16 or Float16.
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
