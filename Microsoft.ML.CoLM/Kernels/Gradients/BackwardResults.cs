using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Gradients on their way from a managed backward function to libtorch.</summary>
/// <remarks>
/// libtorch takes its own reference to what a backward function returns, but only after that function has returned,
/// and TorchSharp leaves our handles to the garbage collector: a training step would keep every gradient alive. So
/// the handles of one call are released at the next one, on the same thread, or by <see cref="Release"/>.
/// </remarks>
internal static class BackwardResults
{
    [ThreadStatic]
    private static List<Tensor>? _returned;

    /// <summary>
    /// Runs a backward function, frees its temporaries and the gradient it was given, and keeps what it returns until
    /// the next call.
    /// </summary>
    public static List<Tensor> Keep(Tensor gradient, Func<Tensor?[]> backward)
    {
        Release();
        using var _ = gradient;
        using var scope = NewDisposeScope();
        var results = backward();
        _returned = [];
        foreach (var result in results.OfType<Tensor>())
            _returned.Add(result.DetachFromDisposeScope());
        return [.. results.Select(result => result!)];
    }

    /// <summary>Releases the handles of the last call on this thread; to be called after a backward pass.</summary>
    public static void Release()
    {
        _returned?.ForEach(tensor => tensor.Dispose());
        _returned = null;
    }
}
