using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The checkpoints in a folder.</summary>
/// <remarks>
/// Each is two files, of tensors and of JSON, and a third with their checksums as <c>sha256sum</c> writes and checks them.
/// All are complete under temporary names first; the checksums get their name last, and with it the checkpoint is there.
/// </remarks>
/// <param name="folder">The folder; it need not exist before the first is written.</param>
/// <param name="files">What changes the files.</param>
internal sealed partial class CheckpointStore(string folder, IFolderFiles files)
{
    private const string TensorsExtension = "safetensors";
    private const string RecordExtension = "json";
    private const string SumsExtension = "sha256";

    // In the order in which a checkpoint appears; it goes in the opposite one.
    private static readonly string[] Extensions = [TensorsExtension, RecordExtension, SumsExtension];

    /// <summary>Steps with a checkpoint, damaged ones included, newest first.</summary>
    public IEnumerable<int> Steps() =>
        !Directory.Exists(folder) ? [] : Files().Where(file => file.Extension == SumsExtension)
            .Select(file => file.Step).OrderDescending();

    /// <summary>Writes the checkpoint of a step.</summary>
    public void Write(int step, IEnumerable<KeyValuePair<string, Tensor>> tensors, CheckpointRecord record)
    {
        Directory.CreateDirectory(folder);
        DeleteTemporaries();
        try
        {
            var sums = new StringBuilder();
            WriteHashed(Name(step, TensorsExtension), stream => SafetensorsWriter.Write(stream, tensors), sums);
            WriteHashed(Name(step, RecordExtension), record.Write, sums);
            files.Write(Temporary(Name(step, SumsExtension)),
                stream => stream.Write(Encoding.ASCII.GetBytes(sums.ToString())));
            foreach (var extension in Extensions)
                files.Replace(Temporary(Name(step, extension)), PathOf(Name(step, extension)));
        }
        catch
        {
            UnfinishedFile.Try(DeleteTemporaries);
            throw;
        }
    }

    /// <summary>Deletes all checkpoints, and parts of them, but those of some steps.</summary>
    public void DeleteAllBut(params ReadOnlySpan<int> steps)
    {
        var found = Files().OrderByDescending(file => Array.IndexOf(Extensions, file.Extension)).ToArray();
        foreach (var (step, extension) in found)
        {
            if (!steps.Contains(step) && !IsFolder(PathOf(Name(step, extension))))
                files.Delete(PathOf(Name(step, extension)));
        }
    }

    /// <summary>
    /// Reads what a checkpoint holds beside tensors, once all its bytes were found to be those that were written.
    /// </summary>
    /// <exception cref="InvalidDataException">The checkpoint is damaged.</exception>
    /// <exception cref="IOException">A file cannot be read, or is missing.</exception>
    public CheckpointRecord Read(int step)
    {
        var (tensorsName, recordName) = (Name(step, TensorsExtension), Name(step, RecordExtension));
        var sums = PathOf(Name(step, SumsExtension));
        var expected = Encoding.ASCII.GetString(BoundedFile.ReadAllBytes(sums, FileLimits.CheckpointSums));

        // What limits their lengths comes before their bytes are read.
        var json = BoundedFile.ReadAllBytes(PathOf(recordName), FileLimits.CheckpointRecord);
        using var tensors = OrdinaryFile.OpenRead(PathOf(tensorsName));
        using var header = new SafetensorsReader(tensors, PathOf(tensorsName));
        tensors.Position = 0;

        var found = new StringBuilder();
        Check(tensorsName, SHA256.HashData(tensors));
        Check(recordName, SHA256.HashData(json));
        if (expected.Length != found.Length)
            throw new InvalidDataException($"{sums}: has more than the checksums of its checkpoint.");
        var record = CheckpointRecord.Read(json, PathOf(recordName));
        return record.GlobalStep == step ? record : throw new InvalidDataException(
            $"{PathOf(recordName)}: is of step {record.GlobalStep}.");

        void Check(string name, byte[] hash)
        {
            found.Append(SumLine(Convert.ToHexStringLower(hash), name));
            if (!expected.StartsWith(found.ToString(), StringComparison.Ordinal))
            {
                throw new InvalidDataException(
                    $"{PathOf(name)}: is not what its checksum in '{Path.GetFileName(sums)}' says.");
            }
        }
    }

    /// <summary>Fills tensors by their names.</summary>
    /// <exception cref="InvalidDataException">One is missing or has another shape.</exception>
    public void ReadInto(int step, Dictionary<string, Tensor> tensors)
    {
        using var reader = SafetensorsReader.Open(PathOf(Name(step, TensorsExtension)));
        using var noGradients = no_grad();
        foreach (var (name, tensor) in tensors)
        {
            if (reader.Find(name)?.Shape.AsSpan().SequenceEqual(tensor.shape) != true)
            {
                throw new InvalidDataException($"{reader.Source}: tensor {ErrorText.Quote(name)} of shape " +
                    $"{ErrorText.Shape(tensor.shape)} is missing.");
            }
        }
        foreach (var entry in reader.Entries)
        {
            if (tensors.TryGetValue(entry.Name, out var tensor))
                reader.Read(entry, tensor, mustBeFinite: false); // to the bit what was written: the checksum says so
        }
    }

    private void WriteHashed(string name, Action<Stream> write, StringBuilder sums) =>
        files.Write(Temporary(name), stream =>
        {
            using var hashing = new HashedStream(stream);
            write(hashing);
            sums.Append(SumLine(Convert.ToHexStringLower(hashing.Hash()), name));
        });

    // Of a link only the link goes, of a folder what others put there.
    private static bool IsFolder(string path) => new DirectoryInfo(path) is { Exists: true, LinkTarget: null };

    private static string SumLine(string hash, string name) => $"{hash}  {name}\n";

    private static string Name(int step, string extension) =>
        string.Create(CultureInfo.InvariantCulture, $"checkpoint-{step}.{extension}");

    private string Temporary(string name) => PathOf(name + UnfinishedFile.Suffix);

    private string PathOf(string name) => Path.Combine(folder, name);

    // Folders included: a checkpoint with one in a file's place is damaged, not missing.
    private IEnumerable<(int Step, string Extension)> Files() => Directory.EnumerateFileSystemEntries(folder)
        .Select(path => NamePattern().Match(Path.GetFileName(path)))
        .Where(match => match.Success && int.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out _))
        .Select(match => (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), match.Groups[2].Value));

    // What a process that was killed has left. Those of a model that is saved to the same folder stay.
    private void DeleteTemporaries()
    {
        foreach (var path in Directory.GetFileSystemEntries(folder, "checkpoint-*" + UnfinishedFile.Suffix))
        {
            if (NamePattern().IsMatch(Path.GetFileName(path)[..^UnfinishedFile.Suffix.Length]) && !IsFolder(path))
                files.Delete(path);
        }
    }

    [GeneratedRegex(@"^checkpoint-(0|[1-9][0-9]*)\.(safetensors|json|sha256)\z", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();
}
