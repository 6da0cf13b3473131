using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The file of a sweep's trials: a line of JSON for each candidate, with its checksum, each on the disk when it is done.</summary>
/// <remarks>
/// Lines are in the order in which candidates were done, and trials are numbered in the order of lines: of one process that is
/// the candidates' order, of several ranks it need not be.
/// What a kill leaves of a line has no end, and is dropped. A line that has one and does not fit its checksum is damage.
/// </remarks>
internal sealed class SweepLog : IDisposable
{
    private const string ChecksumBegin = ",\"crc32\":\"";
    private const string ChecksumEnd = "\"}";
    private const int ChecksumLength = 8;

    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter<SweepTrialState>(namingPolicy: null, allowIntegerValues: false) },
    };

    private readonly FileStream _file;

    private SweepLog(FileStream file, IReadOnlyList<CandidateRecord> records) => (_file, Records) = (file, records);

    /// <summary>What was there when it was opened.</summary>
    public IReadOnlyList<CandidateRecord> Records { get; }

    /// <summary>Opens the file, or makes one, to add to it.</summary>
    /// <exception cref="InvalidDataException">It is damaged; the message names the line.</exception>
    public static SweepLog Open(string path)
    {
        var content = OrdinaryFile.IsThere(path) ? BoundedFile.ReadAllBytes(path, FileLimits.SweepTrials) : [];
        var (records, length) = Read(content, path);
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, bufferSize: 0);
        try
        {
            file.SetLength(length);
            file.Position = length;
            return new(file, records);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Adds a line, which is on the disk when this returns, or not there.</summary>
    public void Append(CandidateRecord record)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(record, Json).AsSpan()[..^1];
        byte[] line = [.. json, .. Encoding.ASCII.GetBytes(ChecksumBegin + Checksum(json) + ChecksumEnd + "\n")];
        var length = _file.Length;
        try
        {
            _file.Write(line);
            _file.Flush(flushToDisk: true);
        }
        catch
        {
            TryCut(length);
            throw;
        }
    }

    public void Dispose() => _file.Dispose();

    private static (List<CandidateRecord> Records, long Length) Read(byte[] content, string path)
    {
        List<CandidateRecord> records = [];
        HashSet<int> candidates = [];
        var (start, ids) = (0, 0);
        for (int end; (end = Array.IndexOf(content, (byte)'\n', start)) >= 0; start = end + 1)
        {
            var record = Parse(content.AsSpan(start, end - start), path, number: records.Count + 1);
            if (record.Fault(candidates, expectedId: ids + 1) is { } fault)
                throw Damaged(path, records.Count + 1, fault);
            records.Add(record);
            candidates.Add(record.Candidate);
            ids += record.Trials.Length;
        }
        return (records, start);
    }

    private static CandidateRecord Parse(ReadOnlySpan<byte> line, string path, int number)
    {
        var tail = ChecksumBegin.Length + ChecksumLength + ChecksumEnd.Length;
        var json = line[..Math.Max(0, line.Length - tail)];
        if (!line[json.Length..].SequenceEqual(Encoding.ASCII.GetBytes(ChecksumBegin + Checksum(json) + ChecksumEnd)))
            throw Damaged(path, number, "the line is damaged: its bytes are not those that its checksum is of");
        try
        {
            return JsonSerializer.Deserialize<CandidateRecord>([.. json, (byte)'}'], Json)
                ?? throw Damaged(path, number, "a candidate must be there, found null");
        }
        catch (JsonException e)
        {
            throw Damaged(path, number, $"no candidate of a sweep: {e.Message.TrimEnd('.')}");
        }
    }

    private void TryCut(long length)
    {
        try
        {
            _file.SetLength(length);
            _file.Position = length;
        }
        catch (IOException)
        {
            // Half a line has no end: the next run drops it.
        }
    }

    private static string Checksum(ReadOnlySpan<byte> json)
    {
        using var stream = new MemoryStream(json.ToArray());
        return FormattableString.Invariant($"{Crc32.Of(stream).Checksum:x8}");
    }

    private static InvalidDataException Damaged(string path, int line, string fault) =>
        new(FormattableString.Invariant($"{path}, line {line}: {fault}."));
}
