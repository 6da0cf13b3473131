using System.Text;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>An open <c>task-head.safetensors</c> of a model's folder, whose header was found to fit the configuration.</summary>
/// <remarks>
/// Its metadata has the task's settings, a JSON object, as <c>colm_task</c>, and, where the head does not read a text's last token
/// alone, what it reads as <c>colm_pooling</c>; its tensors are the head's, <c>chain_i</c> of shape [outputs, D_i] for each of the
/// model's chains, or none where the task has no head.
/// </remarks>
internal sealed class TaskHeadFile : IDisposable
{
    private const string SettingsName = "colm_task";
    private const string PoolingName = "colm_pooling";
    private const string MeanPooling = "mean";

    private readonly SafetensorsReader _reader;

    private TaskHeadFile(string path, CoLMConfig config)
    {
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        _reader = new SafetensorsReader(
            OrdinaryFile.OpenRead(path), path, metadata: metadata, headerLimit: FileLimits.TaskHeadHeader);
        try
        {
            Settings = metadata.GetValueOrDefault(SettingsName) ?? throw new InvalidDataException(
                $"{path}: the metadata has no \"{SettingsName}\", which says what task the head is for.");
            Pooling = metadata.GetValueOrDefault(PoolingName) switch
            {
                null => FeaturePooling.LastToken,
                MeanPooling => FeaturePooling.Mean,
                var other => throw new InvalidDataException(
                    $"{path}: the metadata's \"{PoolingName}\" must be \"{MeanPooling}\" or missing, found {ErrorText.Quote(other)}."),
            };
            CheckTensors(config);
        }
        catch
        {
            _reader.Dispose();
            throw;
        }
    }

    /// <summary>The task's settings.</summary>
    public string Settings { get; }

    /// <summary>What the head reads of a text's tokens.</summary>
    public FeaturePooling Pooling { get; }

    /// <summary>Outputs of the head; 0 where there is none.</summary>
    public int OutputCount { get; private set; }

    /// <summary>Opens a folder's file.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="config">All the chains of the folder's model.</param>
    /// <returns>Null where the folder has none.</returns>
    /// <exception cref="InvalidDataException">The file is damaged, or the head is another model's.</exception>
    public static TaskHeadFile? TryOpen(string folder, CoLMConfig config)
    {
        var path = Path.Combine(folder, ModelFiles.TaskHead);
        return OrdinaryFile.IsThere(path) ? new TaskHeadFile(path, config) : null;
    }

    /// <summary>Writes a task with the head of the first chains.</summary>
    /// <exception cref="NotSupportedException">The settings are longer than such a file may have.</exception>
    public static void Write(Stream stream, TunedTask task, int chainCount)
    {
        if (Encoding.UTF8.GetByteCount(task.Settings) > FileLimits.TaskHeadHeader / 2)
        {
            throw new NotSupportedException("The task's settings, with the names of its classes, must have at most " +
                FormattableString.Invariant($"{FileLimits.TaskHeadHeader / 2} bytes to be saved in a folder."));
        }
        var settings = KeyValuePair.Create(SettingsName, task.Settings);
        if (task.Head is not { } head)
        {
            SafetensorsWriter.Write(stream, [], settings);
            return;
        }
        var weights = Enumerable.Range(0, chainCount).Select(
            chain => KeyValuePair.Create<string, Tensor>(ParameterName.OfChain(chain), head.Weight(chain)));
        SafetensorsWriter.Write(stream, weights, head.Pooling == FeaturePooling.LastToken
            ? [settings] : [settings, KeyValuePair.Create(PoolingName, MeanPooling)]);
    }

    /// <summary>Makes the task a model's: all its chains, or the first ones that were loaded.</summary>
    /// <exception cref="InvalidDataException">An element of the head is NaN or infinite.</exception>
    public void ReadInto(CoLMModel model)
    {
        if (OutputCount == 0)
        {
            model.Task = new TunedTask(Settings, Head: null);
            return;
        }
        var head = new ChainHead(model.Config, OutputCount, model.Device, Pooling);
        try
        {
            foreach (var (chain, entry) in Enumerable.Range(0, head.ChainCount)
                .Select(chain => (chain, _reader.Find(ParameterName.OfChain(chain))!)).OrderBy(one => one.Item2.Begin))
            {
                _reader.Read(entry, head.Weight(chain));
            }
        }
        catch
        {
            head.Dispose();
            throw;
        }
        model.Task = new TunedTask(Settings, head);
    }

    public void Dispose() => _reader.Dispose();

    private void CheckTensors(CoLMConfig config)
    {
        if (_reader.Entries.Count == 0)
            return;
        string[] names = [.. Enumerable.Range(0, config.ChainCount).Select(ParameterName.OfChain)];
        long? outputs = null;
        foreach (var (chain, name) in names.Index())
        {
            var entry = _reader.Find(name) ?? throw new InvalidDataException(
                $"{_reader.Source}: tensor {ErrorText.Quote(name)}, the head of chain {chain + 1} of {config.ChainCount}, is missing.");
            outputs ??= entry.Shape is [> 0 and <= int.MaxValue and var count, _] ? count : null;
            if (entry.Shape is not [_, var width] || entry.Shape[0] != outputs || width != config.Hidden(chain))
            {
                throw new InvalidDataException($"{_reader.Source}: tensor {ErrorText.Quote(name)} must be of shape [" +
                    $"{(outputs is { } known ? FormattableString.Invariant($"{known}") : "outputs")}, {config.Hidden(chain)}], found " +
                    $"{ErrorText.Shape(entry.Shape)}: the head is another model's.");
            }
            if (!entry.Type.IsWeight)
            {
                throw new InvalidDataException($"{_reader.Source}: tensor {ErrorText.Quote(name)} has element type " +
                    $"{entry.Type.Name}; weights are read from F32, BF16 and F16.");
            }
        }
        if (_reader.Entries.FirstOrDefault(entry => !names.Contains(entry.Name)) is { } other)
        {
            throw new InvalidDataException($"{_reader.Source}: tensor {ErrorText.Quote(other.Name)} belongs to no chain of " +
                $"the model's {config.ChainCount}.");
        }
        OutputCount = (int)outputs!;
    }
}
