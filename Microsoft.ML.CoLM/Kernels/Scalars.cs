using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Numbers for libtorch. Where a number is written in their place, TorchSharp makes an object of it that the garbage
/// collector may free while libtorch still reads it; these are kept.
/// </summary>
/// <remarks>
/// TorchSharp 0.107 hands the object's address on and keeps nothing (see github.com/dotnet/TorchSharp, pull requests 1434
/// and 1496, which want to dispose such objects). A minimal reproduction: <c>x.fill_(i)</c> in a loop, <c>x</c> of one
/// element, while another thread calls <c>GC.Collect(0)</c> and <c>GC.WaitForPendingFinalizers()</c> and a third makes and
/// disposes scalars. Of 5.4 million calls in 25 seconds four went wrong: libtorch found a scalar of no type it knows
/// ("Exception raised from toDouble"). With <c>using var number = i.ToScalar()</c> around the call none does.
/// </remarks>
internal static class Scalars
{
    public static readonly Scalar Zero = 0.ToScalar();

    public static readonly Scalar One = 1.ToScalar();

    public static readonly Scalar Two = 2.ToScalar();

    public static readonly Scalar MinusOne = (-1).ToScalar();

    /// <summary>The number in a tensor of one element.</summary>
    /// <remarks>
    /// TorchSharp's own <c>ToDouble</c> leaves an object to the garbage collector, whose few bytes of native memory lie
    /// between tensors meanwhile: a step with a thousand of them, as the optimizer's on a large model, leaves memory in
    /// pieces that the next step's tensors do not fit.
    /// </remarks>
    public static double Read(Tensor tensor)
    {
        using var number = tensor.ToScalar();
        return number.ToDouble();
    }
}
