using System.Globalization;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>What a component takes from the MLContext that it was made with.</summary>
internal static class HostSettings
{
    /// <summary>
    /// The device of <see cref="MLContext.GpuDeviceId"/>, or the CPU without one. Where it is not there,
    /// <see cref="MLContext.FallbackToCpu"/> decides, and falling back is a warning in the log.
    /// </summary>
    /// <exception cref="InvalidOperationException">The GPU is not there, and falling back is not allowed.</exception>
    public static Device DeviceOf(IHostEnvironment environment)
    {
        TorchLibrary.EnsureLoaded();
        var settings = (IHostEnvironmentInternal)environment;
        if (settings.GpuDeviceId is not { } id)
            return CPU;
        var found = cuda.is_available() ? cuda.device_count() : 0;
        if (id >= 0 && id < found)
            return new Device(DeviceType.CUDA, id);
        var missing = string.Create(
            CultureInfo.InvariantCulture, $"MLContext.GpuDeviceId is {id}, but {found} CUDA devices were found");
        if (!settings.FallbackToCpu)
            throw new InvalidOperationException($"{missing}, and FallbackToCpu is false.");
        using var channel = environment.Start("Device");
        channel.Warning($"{missing}: the CPU is used, which FallbackToCpu allows.");
        return CPU;
    }

    /// <summary>The seed of the MLContext, or null where it has none.</summary>
    public static int? SeedOf(IHostEnvironment environment) => ((IHostEnvironmentInternal)environment).Seed;

    /// <summary>Whether the MLContext's execution was cancelled.</summary>
    public static bool IsCancelled(IHostEnvironment environment) => environment is ICancelable { IsCanceled: true };
}
