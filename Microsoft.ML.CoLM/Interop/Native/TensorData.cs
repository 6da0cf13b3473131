using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Where a tensor's elements lie. TorchSharp's own ways there make an object or two each, which costs as much as a small
/// kernel takes, and refuse tensors of 2 GiB.
/// </summary>
internal static unsafe class TensorData
{
    private static readonly delegate* unmanaged<nint, nint> Address = (delegate* unmanaged<nint, nint>)NativeLibrary.GetExport(
        NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, searchPath: null), "THSTensor_data");

    /// <summary>The address of a tensor's first element, in its device's memory; valid as long as the tensor is.</summary>
    public static nint AddressOf(Tensor tensor)
    {
        var address = Address(tensor.Handle);
        GC.KeepAlive(tensor);
        return address;
    }
}
