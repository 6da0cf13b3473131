using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Loads libtorch: from the folder named by the environment variable <c>COLM_LIBTORCH</c> (<c>torch/lib</c> of a Python
/// install, say) or, without it, from where TorchSharp looks by itself.
/// </summary>
internal static class TorchLibrary
{
    private const string FolderVariable = "COLM_LIBTORCH";

    // A Lazy keeps the exception too: who comes second is told the same as who came first.
    private static readonly Lazy<bool> Loaded = new(Load);

    /// <summary>Makes TorchSharp usable, or says why it is not. Comes before anything else of TorchSharp.</summary>
    /// <exception cref="DirectoryNotFoundException"><c>COLM_LIBTORCH</c> names a missing folder.</exception>
    /// <exception cref="FileNotFoundException">A library is missing in that folder.</exception>
    /// <exception cref="DllNotFoundException">The native libraries cannot be loaded.</exception>
    /// <exception cref="NotSupportedException">TorchSharp or ML.NET is of a version that this library is not made for.</exception>
    internal static void EnsureLoaded() => _ = Loaded.Value;

    private static bool Load()
    {
        LibraryVersions.Check();
        var folder = Environment.GetEnvironmentVariable(FolderVariable);
        OpenMPWaiting.LimitSpinning();
        try
        {
            if (!string.IsNullOrEmpty(folder))
                LoadFrom(folder);
            torch.InitializeDeviceType(DeviceType.CPU);
            return true;
        }
        catch (Exception e) when (e is NotSupportedException or DllNotFoundException or TypeInitializationException)
        {
            throw Explained(e, folder);
        }
    }

    /// <summary>What was wrong, and what the user can do about it.</summary>
    /// <param name="reason">What loading threw.</param>
    /// <param name="folder">The folder that the environment variable names; null or empty for none.</param>
    internal static DllNotFoundException Explained(Exception reason, string? folder)
    {
        var version = LibraryVersions.Expected("TorchSharp");
        var system = OperatingSystem.IsWindows() ? "win-x64" : OperatingSystem.IsMacOS() ? "osx-arm64" : "linux-x64";
        var hint = string.IsNullOrEmpty(folder)
            ? $"Add the NuGet package TorchSharp-cpu {version} (or TorchSharp-cuda-linux or TorchSharp-cuda-windows of that " +
              $"version) to the program's project, and set its RuntimeIdentifier, for example to {system}; or set " +
              $"the environment variable {FolderVariable} to a folder that holds libtorch. Programs in this library's own " +
              "repository choose by TorchBackend: cpu, cuda-linux or cuda-windows."
            : $"{FolderVariable} is '{folder}'; libtorch there must be of the version TorchSharp is made for.";
        if (reason.ToString().Contains("GLIBCXX_", StringComparison.Ordinal))
        {
            hint = "This system's libstdc++ is older than GCC 13's, which TorchSharp is built with (GLIBCXX_3.4.32). The " +
                "build adapts TorchSharp's library to it if the program references the NuGet package " +
                "Microsoft.ML.CoLM, or imports build/Microsoft.ML.CoLM.targets and sets a RuntimeIdentifier.";
        }
        return new DllNotFoundException($"TorchSharp's native libraries could not be loaded. {hint} " +
            $"{(reason as DllNotFoundException)?.Message}", reason);
    }

    private static void LoadFrom(string folder)
    {
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException($"{FolderVariable} names the folder '{folder}', which is missing.");

        // Each before those that need it: the loader then takes the loaded ones, wherever it would look itself.
        string[] names = File.Exists(PathOf("torch_cuda"))
            ? ["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"]
            : ["c10", "torch_cpu", "torch"];
        foreach (var path in names.Select(PathOf))
        {
            if (!File.Exists(path))
                throw new FileNotFoundException(
                    $"{FolderVariable} names the folder '{folder}', which lacks '{Path.GetFileName(path)}'.", path);
            NativeLibrary.Load(path);
        }

        // TorchSharp would go on looking elsewhere, and hide the reason, if this failed in its hands.
        NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, searchPath: null);

        string PathOf(string name) => Path.GetFullPath(Path.Combine(folder, FileName(name)));
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : $"lib{library}.so";
}
