using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Keeps the checkpoints of one training: reads the one to go on from, and writes further ones.</summary>
/// <remarks>
/// An estimator opens it before anything else, takes the seed from it where none is given, tells it with
/// <see cref="Identify"/> what is trained, and hands it to the <see cref="Trainer"/>. Of several ranks the first alone reads and
/// writes files; the others are given what it reads.
/// </remarks>
internal sealed class TrainingCheckpoints : IDisposable
{
    private readonly TrainingOptions _options;
    private readonly IChannel _channel;
    private readonly TrainingRanks _ranks;
    private readonly CheckpointStore? _target;
    private readonly FolderLock? _lock;
    private readonly SortedDictionary<string, string> _decisive;

    private CheckpointStore? _source;
    private CheckpointRecord? _resumed;
    private int? _newest; // the step of the newest whole checkpoint of the folder that is written to
    private RunIdentity? _identity;
    private IReadOnlyList<(string Name, Parameter Parameter)> _trained = [];

    private TrainingCheckpoints(TrainingOptions options, IChannel channel, TrainingRanks ranks, IFolderFiles files)
    {
        (_options, _channel, _ranks, _decisive) = (options, channel, ranks, DecisiveOptions.Of(options));
        if (ranks.IsFirst && options.CheckpointFolder is { } folder)
        {
            _target = new CheckpointStore(folder, files);
            Create(folder);
            _lock = FolderLock.Take(folder);
        }
    }

    private static void Create(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var what = $"{nameof(TrainingOptions.CheckpointFolder)} '{folder}'";
            throw e is UnauthorizedAccessException
                ? new UnauthorizedAccessException($"{what} may not be created: {e.Message}", e)
                : new IOException(File.Exists(folder) ? $"{what} is a file." : $"{what} cannot be created: {e.Message}", e);
        }
    }

    /// <summary>The seed of the training that is resumed.</summary>
    public int? Seed => _resumed?.Identity.Seed;

    /// <summary>What multiplied matrices in the training that is resumed; null where that is not known.</summary>
    public MatrixProducts? Products => _resumed?.Identity.Products is { } products ? MatrixProducts.TryParse(products) : null;

    /// <summary>Which checkpoint is the last, in words; null where there is none.</summary>
    public string? Last => !_ranks.IsFirst ? _options.CheckpointFolder is null ? null : "rank 0's"
        : _newest is { } newest ? InWords(newest, _options.CheckpointFolder!)
        : _resumed is not null ? InWords(_resumed.GlobalStep, _options.ResumeFrom!) : null;

    /// <summary>Looks for the checkpoint to go on from, and keeps others from writing to the folder.</summary>
    /// <param name="options">How to train.</param>
    /// <param name="channel">Where messages go.</param>
    /// <param name="ranks">Who trains; null for this process alone.</param>
    /// <param name="files">What changes the files; null for the disk.</param>
    /// <returns>Null where neither checkpoints nor resuming is asked for, by one process alone.</returns>
    /// <exception cref="ArgumentException">
    /// The checkpoint is of other options, or the folder has checkpoints of a training that is not resumed.
    /// </exception>
    /// <exception cref="InvalidDataException">All checkpoints are damaged.</exception>
    /// <exception cref="IOException">
    /// There is no checkpoint in another folder than the one that is written to; or that one cannot be written.
    /// </exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be written.</exception>
    public static TrainingCheckpoints? Open(
        TrainingOptions options, IChannel channel, TrainingRanks? ranks = null, IFolderFiles? files = null)
    {
        ranks ??= new(communicator: null);
        if (!ranks.AreSeveral && options.CheckpointFolder is null && options.ResumeFrom is null)
            return null;
        var checkpoints = new TrainingCheckpoints(options, channel, ranks, files ?? DiskFiles.Instance);
        try
        {
            if (ranks.IsFirst)
                checkpoints.FindSource();
            checkpoints.ShareRecord();
            return checkpoints;
        }
        catch
        {
            checkpoints.Dispose();
            throw;
        }
    }

    /// <summary>Says what is trained, on what, before the first step changes it.</summary>
    /// <param name="seed">The seed that decides new weights and the order of the data.</param>
    /// <param name="model">The model, with all its weights.</param>
    /// <param name="trained">Every parameter that is trained, the model's and others, each by a name of its own.</param>
    /// <param name="addData">Adds the training data and the validation set.</param>
    /// <exception cref="ArgumentException">
    /// The checkpoint to go on from is of another training, or another rank trains something else; the message says what
    /// differs.
    /// </exception>
    public void Identify(int seed, CoLMModel model, IReadOnlyList<(string Name, Parameter Parameter)> trained,
        Action<Fingerprint> addData)
    {
        _trained = trained;
        if (_resumed is not null && seed != Seed)
            throw Other($"other options: {nameof(TrainingOptions.Seed)} was {Seed} and is {seed}");
        _identity = new RunIdentity(seed, _decisive, Fingerprint.Of(fingerprint => Add(fingerprint, model)),
            Fingerprint.Of(addData), MatrixProducts.Current.ToString());
        RankComparison.CheckAlike(_ranks, _identity);
        if (_resumed is null)
            return;
        if (_identity.Model != _resumed.Identity.Model)
            throw Other("another model: its weights or its configuration were not these");
        if (_identity.Data != _resumed.Identity.Data)
            throw Other("other data: the rows of the training data or of the validation set were not these");
    }

    /// <summary>Puts the run and the parameters where the checkpoint was, if there is one to go on from.</summary>
    /// <param name="run">The run.</param>
    /// <param name="totalSteps">The steps that it has in all.</param>
    /// <exception cref="InvalidDataException">
    /// The checkpoint lacks a tensor, has one that no training has, or is of a step that the run does not have.
    /// </exception>
    public void Resume(TrainingRun run, int totalSteps)
    {
        if (_resumed is null)
            return;
        if (_resumed.GlobalStep > totalSteps)
            throw Damaged($"is of a training of more than {totalSteps} steps");
        run.Restore(_resumed);
        var tensors = CheckpointTensors.Of(run, _trained);
        _source?.ReadInto(run.Step, tensors);
        foreach (var (_, tensor) in tensors.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            _ranks.FirstOf(tensor);
        foreach (var (name, parameter) in CheckpointTensors.Named(run, _trained))
        {
            parameter.Round();
            parameter.Steps = _resumed.OptimizerSteps.TryGetValue(name, out var steps) ? steps
                : throw Damaged($"lacks the optimizer's steps of {name}");
            using var least = parameter.MeanSquare.min();
            if (!(least.ToDouble() >= 0)) // NaN is not
                throw Damaged($"has mean squared gradients of {name} that are negative or NaN");
        }
        if (_ranks.IsFirst)
            _channel.Info($"Training goes on after step {run.Step}, from its checkpoint in '{_options.ResumeFrom}'.");
    }

    /// <summary>Writes a checkpoint if this step is to have one.</summary>
    public void SaveIfDue(TrainingRun run)
    {
        if (run.Step % _options.CheckpointInterval == 0)
            Save(run);
    }

    /// <summary>Writes a checkpoint, unless the newest is of this step; a failure to write is a warning.</summary>
    public void Save(TrainingRun run)
    {
        if (_target is null || run.Step == 0 || run.Step == _newest)
            return;
        var before = _newest;
        try
        {
            var steps = CheckpointTensors.Named(run, _trained)
                .ToDictionary(entry => entry.Name, entry => entry.Parameter.Steps);
            _target.Write(run.Step, CheckpointTensors.Of(run, _trained), CheckpointRecord.Of(run, steps, _identity!));
            _newest = run.Step;
            _target.DeleteAllBut(run.Step, before ?? run.Step);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var whole = _newest is { } newest ? $"The last whole one is of step {newest}." : "There is no other yet.";
            _channel.Warning($"The checkpoint of step {run.Step} in '{_options.CheckpointFolder}' could not be completed, " +
                $"and training goes on. {whole} {e.Message}");
        }
    }

    public void Dispose() => _lock?.Dispose();

    private void FindSource()
    {
        var isSame = _options.ResumeFrom is { } from && _options.CheckpointFolder is { } to && FullPath(from) == FullPath(to);
        if (!isSame && _target?.Steps().Any() == true)
        {
            throw new ArgumentException($"{nameof(_options.CheckpointFolder)} '{_options.CheckpointFolder}' has the " +
                $"checkpoints of a training already. Name it in {nameof(_options.ResumeFrom)} to go on with that training, " +
                "or take another folder.");
        }
        if (_options.ResumeFrom is not { } folder)
            return;
        _source = isSame ? _target! : new CheckpointStore(folder, DiskFiles.Instance);
        _resumed = ReadNewest(_source, folder, mayBeMissing: isSame);
        if (_resumed is null)
            return;
        if (isSame)
            _newest = _resumed.GlobalStep;
        var differences = DecisiveOptions.Differences(_resumed.Identity.Options, _decisive);
        if (differences.Length > 0)
            throw Other($"other options: {differences}");
    }

    private void ShareRecord()
    {
        var record = _ranks.FirstOf(_resumed?.ToJson() ?? []);
        if (!_ranks.IsFirst && record.Length > 0)
            _resumed = CheckpointRecord.Read(record, "rank 0's checkpoint");
    }

    private CheckpointRecord? ReadNewest(CheckpointStore store, string folder, bool mayBeMissing)
    {
        var damages = new List<string>();
        foreach (var step in store.Steps().ToArray())
        {
            try
            {
                var record = store.Read(step);
                foreach (var damage in damages)
                {
                    _channel.Warning(
                        $"A checkpoint is damaged, and training goes on from the one of step {step}. {damage}");
                }
                return record;
            }
            catch (Exception e) when (e is InvalidDataException or IOException)
            {
                damages.Add(e.Message);
            }
        }
        if (damages.Count > 0)
            throw new InvalidDataException($"All checkpoints in '{folder}' are damaged. {string.Join(' ', damages)}");
        if (!mayBeMissing)
        {
            throw Directory.Exists(folder)
                ? new FileNotFoundException($"{nameof(_options.ResumeFrom)} '{folder}' has no checkpoint.")
                : new DirectoryNotFoundException($"{nameof(_options.ResumeFrom)} '{folder}' does not exist.");
        }
        _channel.Info($"There is no checkpoint in '{folder}' yet: training begins at the beginning.");
        return null;
    }

    private void Add(Fingerprint fingerprint, CoLMModel model)
    {
        fingerprint.Add(model);
        var own = model.parameters().Select(parameter => parameter.Handle).ToHashSet();
        foreach (var (name, parameter) in _trained)
        {
            fingerprint.Add(name);
            if (!own.Contains(parameter.Handle))
                fingerprint.Add(name, parameter);
        }
    }

    private static string InWords(int step, string folder) =>
        FormattableString.Invariant($"that of step {step} in '{folder}'");

    private ArgumentException Other(string difference) => new($"The checkpoint of step {_resumed!.GlobalStep} in " +
        $"'{_options.ResumeFrom}' is of {difference}.");

    private InvalidDataException Damaged(string what) =>
        new($"The checkpoint of step {_resumed!.GlobalStep} in '{_options.ResumeFrom}' {what}.");

    private static string FullPath(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
}
