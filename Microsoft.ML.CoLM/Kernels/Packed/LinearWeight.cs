using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A weight [outputs, width] as products read it: a tensor of numbers, or packed, which is never trained.</summary>
internal sealed class LinearWeight
{
    // Bounds memory: a weight's numbers that are widened at once.
    private const long WidenedAtOnce = 1 << 24;

    private readonly Tensor? _numbers;

    /// <param name="numbers">[outputs, width]; stays the caller's.</param>
    public LinearWeight(Tensor numbers) => (_numbers, Outputs, Width) = (numbers, numbers.size(0), numbers.size(1));

    public LinearWeight(PackedWeight packed) => (Packed, Outputs, Width) = (packed, packed.Outputs, packed.Width);

    /// <summary>The packed weight; null where there are numbers.</summary>
    public PackedWeight? Packed { get; }

    public long Outputs { get; }

    public long Width { get; }

    /// <summary>The tensor of numbers itself; null where the weight is packed.</summary>
    public Tensor? Numbers => _numbers;

    public bool NeedsGradient => _numbers?.requires_grad == true;

    /// <summary>
    /// Weights as a differentiable function takes them: tensors, those that need gradients as views, since libtorch then keeps the
    /// gradients that the function returns; and packed ones, which libtorch does not know, as they are.
    /// </summary>
    public static object[] Inputs(LinearWeight[] weights) => Array.ConvertAll<LinearWeight, object>(weights, weight => weight switch
    {
        { NeedsGradient: true, Numbers: { } numbers } => numbers.view_as(numbers),
        { Numbers: { } numbers } => numbers,
        _ => weight,
    });

    /// <summary>A weight that was an input.</summary>
    public static LinearWeight OfInput(object input) => input as LinearWeight ?? new((Tensor)input);

    /// <summary>The numbers; packed ones are widened, for the dispose scope that this is called in.</summary>
    /// <param name="type">The type to widen to.</param>
    public Tensor Widened(ScalarType type) => _numbers ?? Packed!.Widened(type);

    /// <summary>Some outputs' numbers in a type, for the dispose scope that this is called in.</summary>
    /// <param name="type">The type.</param>
    /// <param name="first">The first output.</param>
    /// <param name="count">How many outputs.</param>
    public Tensor Widened(ScalarType type, long first, long count) =>
        _numbers?.narrow(0, first, count).to(type) ?? Packed!.Widened(type, first, count);

    /// <summary>Outputs whose numbers are to be float32 at once, so that little is held twice.</summary>
    public IEnumerable<(long First, long Count)> PartsToWiden()
    {
        var outputs = Math.Max(1, WidenedAtOnce / Width);
        for (var first = 0L; first < Outputs; first += outputs)
            yield return (first, Math.Min(outputs, Outputs - first));
    }

    /// <summary>The numbers of some outputs: of an embedding, tokens' features.</summary>
    /// <param name="outputs">[rows], Int64.</param>
    /// <param name="type">The type to widen packed ones to.</param>
    /// <returns>[rows, width].</returns>
    public Tensor Rows(Tensor outputs, ScalarType type) => _numbers?.index_select(0, outputs) ?? Packed!.Rows(outputs, type);

    /// <summary>The matrix on the CPU.</summary>
    public MatrixView View() => Packed is null ? MatrixView.Of(_numbers!) : MatrixView.Of(Packed);
}
