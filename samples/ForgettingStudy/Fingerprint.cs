using System.Security.Cryptography;
using System.Text;

namespace ForgettingStudy;

/// <summary>Tells whether files are the same, wherever they are.</summary>
internal static class Fingerprint
{
    private const int Digits = 16;

    /// <summary>Of files, and of a folder's files with their names.</summary>
    public static string Of(IEnumerable<string> paths)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in paths)
        {
            if (File.Exists(path))
            {
                Add(hash, path);
                continue;
            }
            foreach (var file in Directory.GetFiles(path).Order(StringComparer.Ordinal))
            {
                hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(file)));
                Add(hash, file);
            }
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..Digits];
    }

    private static void Add(IncrementalHash hash, string file)
    {
        using var content = File.OpenRead(file);
        hash.AppendData(SHA256.HashData(content));
    }
}
