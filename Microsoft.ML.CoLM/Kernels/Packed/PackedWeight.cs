using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// A matrix [outputs, width] of packed weights: an output's inputs in groups of 32, each with codes and a scale. What an
/// output lacks to whole groups is filled up with codes that nobody reads.
/// </summary>
internal abstract unsafe class PackedWeight
{
    /// <summary>Neighbouring inputs of an output that share a scale.</summary>
    public const int GroupWidth = 32;

    // Numbers that are widened by one thread before another takes the next outputs.
    private const long WidenedAtOnce = 1 << 18;

    /// <param name="codes">[outputs, groups · bytes of a group]; stays the caller's.</param>
    /// <param name="scales">[outputs, groups], bfloat16; stays the caller's.</param>
    /// <param name="width">Inputs of an output.</param>
    protected PackedWeight(Tensor codes, Tensor scales, int width)
    {
        (Codes, Scales, Width, Outputs, Groups) = (codes, scales, width, (int)codes.size(0), GroupsOf(width));
    }

    public Tensor Codes { get; }

    public Tensor Scales { get; }

    public int Outputs { get; }

    public int Width { get; }

    public int Groups { get; }

    public static int GroupsOf(int width) => (width + GroupWidth - 1) / GroupWidth;

    /// <summary>The same matrix in other memory.</summary>
    public abstract PackedWeight With(Tensor codes, Tensor scales);

    /// <summary>Widens neighbouring inputs of an output to float32, on the CPU.</summary>
    /// <param name="output">The output.</param>
    /// <param name="first">The first input.</param>
    /// <param name="count">How many inputs.</param>
    /// <param name="to">Gets them.</param>
    public abstract void Widen(int output, int first, int count, float* to);

    /// <summary>Packs an output, on the CPU.</summary>
    /// <param name="output">The output.</param>
    /// <param name="weights">All its inputs, finite numbers.</param>
    public abstract void Pack(int output, ReadOnlySpan<float> weights);

    /// <summary>Packs an output with scales that are there, each weight by the nearest code.</summary>
    /// <inheritdoc cref="Pack(int, ReadOnlySpan{float})"/>
    public abstract void PackByScales(int output, ReadOnlySpan<float> weights);

    /// <summary>A group's scale, on the CPU.</summary>
    public abstract float Scale(int output, int group);

    /// <summary>Sets a group's scale, on the CPU; its codes are what they were.</summary>
    public abstract void SetScale(int output, int group, float scale);

    /// <summary>The scale that a group of weights is packed with.</summary>
    public abstract float BestScale(ReadOnlySpan<float> weights);

    /// <summary>The nearest of the codes' numbers to a weight that was divided by its scale.</summary>
    public abstract float Nearest(float weight);

    /// <summary>Computes some outputs of a few rows with activations that are rounded: <see cref="PackedGemv"/>.</summary>
    public abstract void MultiplyRounded(
        float* x, long xStride, int rows, int first, int end, float* y, long yStride, bool adds);

    /// <summary>All weights as numbers, [outputs, width], where the codes are.</summary>
    /// <param name="type">Their type.</param>
    public Tensor Widened(ScalarType type) => Widened(type, 0, Outputs);

    /// <summary>Neighbouring outputs' weights as numbers, [count, width], where the codes are.</summary>
    /// <param name="type">Their type.</param>
    /// <param name="first">The first output.</param>
    /// <param name="count">How many outputs.</param>
    public Tensor Widened(ScalarType type, long first, long count)
    {
        if (Codes.device_type == DeviceType.CPU)
            return Rows((int)count, row => (int)first + row, type);
        using var scope = NewDisposeScope();
        return WidenedByTorch(Codes.narrow(0, first, count), Scales.narrow(0, first, count), type).MoveToOuterDisposeScope();
    }

    /// <summary>The weights of some outputs as numbers, where the codes are: of an embedding, tokens' features.</summary>
    /// <param name="outputs">[rows], Int64.</param>
    /// <param name="type">Their type.</param>
    /// <returns>[rows, width].</returns>
    public Tensor Rows(Tensor outputs, ScalarType type)
    {
        if (Codes.device_type != DeviceType.CPU)
        {
            using var scope = NewDisposeScope();
            return WidenedByTorch(Codes.index_select(0, outputs), Scales.index_select(0, outputs), type).MoveToOuterDisposeScope();
        }
        using var contiguous = outputs.contiguous();
        var ids = (long*)TensorMemory.Address(contiguous);
        return Rows((int)outputs.size(0), row => (int)ids[row], type);
    }

    /// <summary>The numbers of codes [rows, bytes], before they are scaled, by libtorch's own operations.</summary>
    /// <returns>[rows, inputs in whole groups].</returns>
    protected abstract Tensor Numbers(Tensor codes);

    private Tensor Rows(int rows, Func<int, int> output, ScalarType type)
    {
        var result = empty([rows, Width], dtype: type == ScalarType.BFloat16 ? type : ScalarType.Float32);
        var target = TensorMemory.Address(result);
        var atOnce = (int)Math.Clamp(WidenedAtOnce / Width, 1, Math.Max(1, rows));
        var shares = (rows + atOnce - 1) / atOnce;
        if (shares == 1)
            Widen(0, rows);
        else
            ParallelWork.For(shares, share => Widen(share * atOnce, Math.Min(rows, (share + 1) * atOnce)));
        if (result.dtype == type)
            return result;
        using (result)
            return result.to(type);

        void Widen(int first, int end)
        {
            var isWide = result.dtype == ScalarType.Float32;
            var wide = stackalloc float[GroupWidth];
            for (var row = first; row < end; row++)
            {
                if (isWide)
                {
                    this.Widen(output(row), 0, Width, (float*)target + (long)row * Width);
                    continue;
                }
                for (var input = 0; input < Width; input += GroupWidth)
                {
                    var count = Math.Min(GroupWidth, Width - input);
                    this.Widen(output(row), input, count, wide);
                    RowKernels.Narrow<BFloat16Element>(wide, (void*)target, (long)row * Width + input, count);
                }
            }
        }
    }

    /// <summary>Codes and scales as numbers, by libtorch's own operations, which are there on every device.</summary>
    /// <param name="codes">[rows, bytes].</param>
    /// <param name="scales">[rows, groups].</param>
    /// <param name="type">The numbers' type.</param>
    /// <returns>[rows, width].</returns>
    internal Tensor WidenedByTorch(Tensor codes, Tensor scales, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var numbers = Numbers(codes).to(ScalarType.Float32).view(codes.size(0), Groups, GroupWidth);
        return numbers.mul(scales.to(ScalarType.Float32).unsqueeze(-1)).view(codes.size(0), Groups * GroupWidth)
            .narrow(1, 0, Width).to(type).contiguous().MoveToOuterDisposeScope();
    }
}
