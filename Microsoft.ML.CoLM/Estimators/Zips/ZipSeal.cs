using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A SHA-256 of all that a component's entry in an ML.NET zip says.</summary>
/// <remarks>
/// Texts stand behind the settings, in a table of ML.NET's, and the version in its header: they are part of it. Where
/// ML.NET's header says that things lie is not; it checks that itself.
/// </remarks>
internal static class ZipSeal
{
    /// <param name="header">ML.NET's header, of which the component's signature and versions count.</param>
    /// <param name="assemblyName">The assembly that is to load the component.</param>
    /// <param name="texts">The entry's table of texts.</param>
    /// <param name="settings">The settings' bytes.</param>
    public static byte[] Of(
        in ModelHeader header, string assemblyName, IReadOnlyList<string> texts, ReadOnlySpan<byte> settings)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append([header.ModelSignature, header.ModelVerWritten, header.ModelVerReadable, header.LoaderSignature0,
            header.LoaderSignature1, header.LoaderSignature2, (ulong)texts.Count, (ulong)settings.Length]);
        foreach (var text in (ReadOnlySpan<string>)[assemblyName, .. texts])
        {
            Append([(ulong)text.Length]);
            hash.AppendData(MemoryMarshal.AsBytes(text.AsSpan()));
        }
        hash.AppendData(settings);
        return hash.GetHashAndReset();

        void Append(ReadOnlySpan<ulong> numbers) => hash.AppendData(MemoryMarshal.AsBytes(numbers));
    }
}
