using System.Reflection;
using Microsoft.ML.Runtime;
using TorchSharp;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// The versions of the libraries whose internals this one uses: another version's may be missing, or mean something else.
/// </summary>
internal static class LibraryVersions
{
    private static readonly Lazy<string?> Mismatch = new(static () => MismatchOf(
        Expected, typeof(torch).Assembly, typeof(MLContext).Assembly, typeof(IHostEnvironment).Assembly));

    /// <summary>Refuses to begin with versions that this library was not made for.</summary>
    /// <exception cref="NotSupportedException">Another one was found; the message names both.</exception>
    public static void Check()
    {
        if (Mismatch.Value is { } message)
            throw new NotSupportedException(message);
    }

    /// <summary>The version of a library that this one was built with.</summary>
    internal static string Expected(string library) => typeof(LibraryVersions).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().First(entry => entry.Key == library).Value!;

    /// <summary>What is wrong with the libraries that are there; null where nothing is.</summary>
    /// <param name="expected">The version that each package must have.</param>
    /// <param name="torchSharp">TorchSharp's assembly.</param>
    /// <param name="machineLearning">Assemblies of the package Microsoft.ML.</param>
    internal static string? MismatchOf(
        Func<string, string> expected, Assembly torchSharp, params Assembly[] machineLearning)
    {
        var found = machineLearning.Select(assembly => (Package: "Microsoft.ML", Assembly: assembly))
            .Prepend((Package: "TorchSharp", Assembly: torchSharp));
        foreach (var (package, assembly) in found)
        {
            var version = VersionOf(assembly);
            if (version != expected(package))
            {
                return $"Microsoft.ML.CoLM uses internals of {package} {expected(package)} and works with that version " +
                    $"alone, found {assembly.GetName().Name} {version}. Reference {package} {expected(package)}.";
            }
        }
        return null;
    }

    // The package's version, without the commit that may follow it.
    private static string VersionOf(Assembly assembly) =>
        assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]
            ?? assembly.GetName().Version?.ToString(fieldCount: 3) ?? "of no version";
}
