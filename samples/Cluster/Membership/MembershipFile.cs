using System.Text.Json;

namespace ClusterSample.Membership;

/// <summary>A file that several processes read and change, one at a time.</summary>
internal sealed class MembershipFile(string path)
{
    private const int LockAttempts = 500;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(10);

    /// <summary>Reads it; a file that is not there has no rows.</summary>
    public async Task<MembershipRows> ReadAsync()
    {
        // Always a whole one: a changed file takes the place of the one before.
        try
        {
            await using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return await JsonSerializer.DeserializeAsync<MembershipRows>(stream) ?? MembershipRows.None;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return MembershipRows.None;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no membership file: {e.Message}", e);
        }
    }

    /// <summary>Changes it.</summary>
    /// <param name="change">Gives the new rows, or null to leave them as they are.</param>
    /// <returns>Whether it was changed.</returns>
    public async Task<bool> ChangeAsync(Func<MembershipRows, MembershipRows?> change)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // Its lock goes with the process, also with one that is killed.
        await using var held = await LockAsync();
        if (change(await ReadAsync()) is not { } changed)
            return false;
        var next = path + ".next";
        await using (var stream = File.Create(next))
            await JsonSerializer.SerializeAsync(stream, changed);
        File.Move(next, path, overwrite: true);
        return true;
    }

    private async Task<FileStream> LockAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (attempt < LockAttempts)
            {
                await Task.Delay(BetweenAttempts);
            }
        }
    }
}
