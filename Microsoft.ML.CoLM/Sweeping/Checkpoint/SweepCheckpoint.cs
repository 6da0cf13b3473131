using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>
/// The folder from which a killed sweep goes on: <c>sweep.json</c> says which sweep it is of, <c>sweep-trials.jsonl</c> has
/// its trials, and <c>sweep-candidate-7.zip</c> the pipeline of a candidate whose models are kept.
/// </summary>
/// <remarks>A candidate's zip is there before its line, and goes after the line that makes it needless.</remarks>
internal sealed class SweepCheckpoint : IDisposable
{
    private const string HeaderName = "sweep.json";
    private const string LogName = "sweep-trials.jsonl";
    private const string ModelPrefix = "sweep-candidate-";
    private const string ModelSuffix = ".zip";
    private const int Format = 1;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NewLine = "\n",
    };

    private readonly SweepPlan _plan;
    private readonly string _folder;
    private readonly FolderLock _lock;
    private readonly SweepLog _log;

    private SweepCheckpoint(SweepPlan plan, string folder)
    {
        (_plan, _folder) = (plan, folder);
        Create(folder);
        _lock = FolderLock.Take(folder)!;
        try
        {
            CheckHeader(SweepIdentity.Of(plan));
            _log = SweepLog.Open(PathOf(LogName));
            DeleteLeftovers();
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>The candidates that are done.</summary>
    public IReadOnlyList<CandidateRecord> Records => _log.Records;

    /// <summary>Seconds that the sweep took in its runs so far.</summary>
    public double Elapsed => Records.Select(record => record.Elapsed).DefaultIfEmpty().Max();

    /// <summary>Opens the folder, which is created where it is missing; null where the sweep keeps none.</summary>
    /// <exception cref="ArgumentException">It is of another sweep; the message says what differs.</exception>
    /// <exception cref="InvalidDataException">A file is damaged; the message names it.</exception>
    /// <exception cref="IOException">It cannot be written, or another sweep writes to it.</exception>
    public static SweepCheckpoint? Open(SweepPlan plan) =>
        plan.CheckpointFolder is { } folder ? new(plan, folder) : null;

    /// <summary>Writes a candidate's pipeline, whole or not at all; before its line.</summary>
    /// <returns>The file's SHA-256.</returns>
    public string Save(int candidate, ITransformer fitted)
    {
        new ModelZip(_plan.Context).Save(fitted, _plan.Data.Train.Schema, ModelPath(candidate));
        return DigestOf(ModelPath(candidate));
    }

    /// <summary>Takes a candidate's pipeline that another rank has sent; before its line.</summary>
    /// <returns>The file's SHA-256.</returns>
    public string Take(int candidate, string path)
    {
        File.Move(path, ModelPath(candidate), overwrite: true);
        return DigestOf(ModelPath(candidate));
    }

    /// <summary>A file for what arrives of a candidate's pipeline; one that a kill leaves is deleted by the next run.</summary>
    public string ArrivingPath(int candidate) => ModelPath(candidate) + UnfinishedFile.Suffix;

    /// <summary>Adds a candidate's line.</summary>
    public void Append(CandidateRecord record) => _log.Append(record);

    /// <summary>Reads a candidate's pipeline.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or another one, or missing.</exception>
    public ITransformer Load(int candidate, string? digest)
    {
        var path = ModelPath(candidate);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path} is missing, the model of a trial in {PathOf(LogName)}.");
        if (DigestOf(path) != digest)
            throw new InvalidDataException($"{path}: not the model that was saved for {PathOf(LogName)}: its SHA-256 is another.");
        try
        {
            return new ModelZip(_plan.Context).Load(path, out _);
        }
        catch (InvalidDataException e) when (!e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Deletes the pipelines of candidates that have no model to keep any more, or never had a line.</summary>
    public void DeleteModelsBut(IReadOnlyCollection<int> candidates)
    {
        foreach (var path in Directory.EnumerateFiles(_folder, $"{ModelPrefix}*{ModelSuffix}"))
        {
            var number = Path.GetFileName(path)[ModelPrefix.Length..^ModelSuffix.Length];
            if (int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var candidate) && !candidates.Contains(candidate))
                File.Delete(path);
        }
    }

    // Of saves that were killed; nobody else saves here under the lock.
    private void DeleteLeftovers()
    {
        foreach (var path in Directory.EnumerateFiles(_folder, $"{ModelPrefix}*{UnfinishedFile.Suffix}"))
            File.Delete(path);
    }

    /// <summary>The refusal of a line that is of another candidate than the space gives.</summary>
    public InvalidDataException Refuse(CandidateRecord record, string expected) => new(FormattableString.Invariant(
        $"{PathOf(LogName)}, line {LineOf(record)}: candidate {record.Candidate} of this sweep is {expected}, found ") +
        $"{(record.Settings.Count == 0 ? DecisiveOptions.None : string.Join(", ", record.Settings.Select(value => $"{value.Key} = {value.Value}")))}.");

    private int LineOf(CandidateRecord record) => Records.TakeWhile(other => other != record).Count() + 1;

    public void Dispose()
    {
        _log.Dispose();
        _lock.Dispose();
    }

    private static void Create(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (IOException e)
        {
            throw new IOException(File.Exists(folder) ? $"The checkpoint folder '{folder}' is a file."
                : $"The checkpoint folder '{folder}' cannot be created: {e.Message}", e);
        }
    }

    private void CheckHeader(SortedDictionary<string, string> identity)
    {
        var path = PathOf(HeaderName);
        if (!OrdinaryFile.IsThere(path))
        {
            if (OrdinaryFile.IsThere(PathOf(LogName)))
                throw new InvalidDataException($"{path} is missing, which says what sweep {LogName} is of.");
            var header = new Header { Format = Format, Sweep = identity };
            WholeFile.Write(path, stream => JsonSerializer.Serialize(stream, header, Json));
            return;
        }
        var found = Read(path);
        var differences = DecisiveOptions.Differences(found.Sweep, identity);
        if (differences.Length > 0)
        {
            throw new ArgumentException($"The checkpoint folder '{_folder}' is of another sweep: {differences}. Name another " +
                "folder, or delete this one to begin anew.");
        }
    }

    private static Header Read(string path)
    {
        try
        {
            var header = JsonSerializer.Deserialize<Header>(BoundedFile.ReadAllBytes(path, FileLimits.SweepHeader), Json);
            return header is { Format: Format, Sweep: not null } ? header : throw new InvalidDataException(
                FormattableString.Invariant($"{path}: must have format {Format}, found {header?.Format}."));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: not valid JSON of a sweep: {e.Message}", e);
        }
    }

    private static string DigestOf(string path)
    {
        using var file = OrdinaryFile.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }

    private string ModelPath(int candidate) => PathOf(FormattableString.Invariant($"{ModelPrefix}{candidate}{ModelSuffix}"));

    private string PathOf(string name) => Path.Combine(_folder, name);

    /// <summary>What the folder is of.</summary>
    private sealed record Header
    {
        /// <summary>Changes when a reader of the last one would read it wrongly.</summary>
        public required int Format { get; init; }

        /// <summary>What <see cref="SweepIdentity"/> says.</summary>
        public required SortedDictionary<string, string> Sweep { get; init; }
    }
}
