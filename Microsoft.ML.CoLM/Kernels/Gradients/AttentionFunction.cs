using TorchSharp;
using static Microsoft.ML.CoLM.Kernels.TensorMemory;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Causal grouped-query attention with gradients: <see cref="AttentionKernel{TFloats}"/>, or libtorch's own.</summary>
internal sealed class AttentionFunction : SingleTensorFunction<AttentionFunction>
{
    private const string KeysNeedGradient = "keys need gradient";

    // Up to here the kernel is faster than libtorch's: narrow heads leave matrix products little to do, and a row of
    // scores stays in the first-level cache. So it is in bfloat16, converted: 8 wide, libtorch's takes four times as long,
    // and a step of `train-step --model stories260K --dtype bfloat16` twice the processor's time.
    private const int WidestHead = 32;
    private const int LongestSequence = 2048;
    private const int ShortestOfWide = 32;

    // Elements of a mask: 16 MiB, and four times as much where libtorch makes numbers of it.
    private const int MaskAtOnce = 1 << 24;

    private delegate void ForwardKernel(
        AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums);

    private delegate void BackwardKernel(
        AttentionShape shape, nint queries, nint keys, nint values, nint output, nint logSums, nint outputGradient,
        nint queryGradient, nint keyGradient, nint valueGradient);

    public override string Name => nameof(AttentionFunction);

    /// <param name="queries">[groups, queries, length, d], the queries that read one key-value head together.</param>
    /// <param name="keys">[groups, 1, length, d].</param>
    /// <param name="values">[groups, 1, length, d].</param>
    /// <returns>[groups, queries, length, d].</returns>
    public static Tensor Apply(Tensor queries, Tensor keys, Tensor values)
    {
        if (!Suits(queries))
        {
            return nn.functional.scaled_dot_product_attention(
                queries, keys.expand(queries.shape), values.expand(queries.shape), is_casual: true);
        }
        if (is_grad_enabled())
            return apply(queries, keys, values);
        var (output, logSums) = Forward(queries, keys, values);
        logSums.Dispose();
        return output;
    }

    /// <summary>Attention of a sequence's newest tokens to all of them, without gradients.</summary>
    /// <param name="queries">[groups, queries, length, d].</param>
    /// <param name="keys">[groups, 1, start + length, d].</param>
    /// <param name="values">[groups, 1, start + length, d].</param>
    /// <param name="start">Tokens before the queries'.</param>
    /// <param name="maskAtOnce">
    /// Elements of the largest mask: queries of more are worked on by turns. One query's at least.
    /// </param>
    /// <returns>[groups, queries, length, d].</returns>
    public static Tensor Continue(
        Tensor queries, Tensor keys, Tensor values, long start, long maskAtOnce = MaskAtOnce)
    {
        using var scope = NewDisposeScope();
        var length = queries.size(2);
        // The causal mask of libtorch's own begins at the first key; one query reads all keys and needs none.
        var needsMask = start > 0 && length > 1;
        var most = needsMask ? Math.Max(1, maskAtOnce / (start + length)) : length;
        if (length <= most)
            return ContinueAtOnce(queries, keys, values, start).MoveToOuterDisposeScope();

        var mixed = empty(queries.shape, dtype: queries.dtype, device: queries.device);
        for (long first = 0; first < length; first += most)
        {
            using var part = NewDisposeScope();
            var count = Math.Min(most, length - first);
            var end = start + first + count;
            mixed.narrow(2, first, count).copy_(ContinueAtOnce(
                queries.narrow(2, first, count), keys.narrow(2, 0, end), values.narrow(2, 0, end), start + first));
        }
        return mixed.MoveToOuterDisposeScope();
    }

    private static Tensor ContinueAtOnce(Tensor queries, Tensor keys, Tensor values, long start)
    {
        var length = queries.size(2);
        long[] shape = [queries.size(0), queries.size(1), start + length, queries.size(3)];
        var mask = start == 0 || length == 1
            ? null
            : ones([length, start + length], dtype: ScalarType.Bool, device: queries.device).tril(start);
        return nn.functional.scaled_dot_product_attention(queries, keys.expand(shape), values.expand(shape), mask,
            is_casual: start == 0 && length > 1);
    }

    /// <summary>Attention of one token of each sequence to keys that a mask chooses.</summary>
    /// <param name="queries">[groups, queries, 1, d].</param>
    /// <param name="keys">[groups, 1, keys, d].</param>
    /// <param name="values">[groups, 1, keys, d].</param>
    /// <param name="mask">[groups, 1, 1, keys], Boolean: which keys are read.</param>
    /// <returns>[groups, queries, 1, d].</returns>
    public static Tensor Masked(Tensor queries, Tensor keys, Tensor values, Tensor mask)
    {
        using var scope = NewDisposeScope();
        // The queries of a key-value head stand where a sequence's tokens do: none is masked by another.
        return nn.functional.scaled_dot_product_attention(queries.transpose(1, 2), keys, values, mask)
            .transpose(1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Attention of some tokens to keys that a mask chooses, without gradients.</summary>
    /// <param name="queries">[groups, queries, length, d].</param>
    /// <param name="keys">[groups, 1, keys, d].</param>
    /// <param name="values">[groups, 1, keys, d].</param>
    /// <param name="mask">[groups, 1, length, keys], in the queries' type: zero, or minus infinity for what is not read.</param>
    /// <returns>[groups, queries, length, d].</returns>
    public static Tensor Chosen(Tensor queries, Tensor keys, Tensor values, Tensor mask)
    {
        using var scope = NewDisposeScope();
        long[] shape = [queries.size(0), queries.size(1), keys.size(2), queries.size(3)];
        return nn.functional.scaled_dot_product_attention(queries, keys.expand(shape), values.expand(shape), mask)
            .MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var (queries, keys, values) = ((Tensor)vars[0], (Tensor)vars[1], (Tensor)vars[2]);
        var (output, logSums) = Forward(queries, keys, values);
        ctx.save_data(KeysNeedGradient, keys.requires_grad || values.requires_grad);
        ctx.save_for_backward([queries, keys, values, output, logSums]);
        return output;
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var saved = ctx.get_saved_variables();
            var type = saved[0].dtype;
            var (queries, keys, values, output) = (Exact(saved[0]), Exact(saved[1]), Exact(saved[2]), Exact(saved[3]));
            var needsKeys = (bool)ctx.get_data(KeysNeedGradient);
            var gradient = Exact(grad_output);
            var queryGradient = empty_like(queries);
            var keyGradient = needsKeys ? empty_like(keys) : null;
            var valueGradient = needsKeys ? empty_like(values) : null;
            BackwardKernel backward = VectorWidth.Floats >= Floats8.Count
                ? AttentionKernel<Floats8>.Backward
                : AttentionKernel<Floats4>.Backward;
            if (IsWide(queries))
                backward = VectorWidth.Floats == Floats16.Count ? WideAttentionKernel<Floats16>.Backward : WideAttentionKernel<Floats8>.Backward;
            backward(ShapeOf(queries), Address(queries), Address(keys), Address(values),
                Address(output), Address(saved[4]), Address(gradient), Address(queryGradient),
                keyGradient is null ? 0 : Address(keyGradient), valueGradient is null ? 0 : Address(valueGradient));
            return [queryGradient.to(type), keyGradient?.to(type), valueGradient?.to(type)];
        });

    // Wide heads where the library's products are the faster ones; of a few queries, there is little to multiply.
    private static bool Suits(Tensor queries) => queries.device_type == DeviceType.CPU && queries.size(2) <= LongestSequence &&
        (IsWide(queries)
            ? queries.dtype == ScalarType.Float32 && MatrixProducts.Current.Float32 == MatrixLibrary.CoLM && queries.size(2) >= ShortestOfWide
            : queries.dtype is ScalarType.Float32 or ScalarType.BFloat16);

    private static bool IsWide(Tensor queries) => queries.size(3) > WidestHead;

    private static (Tensor Output, Tensor LogSums) Forward(Tensor queries, Tensor keys, Tensor values)
    {
        using var scope = NewDisposeScope();
        var type = queries.dtype;
        (queries, keys, values) = (Exact(queries), Exact(keys), Exact(values));
        var output = empty(queries.shape, dtype: float32);
        var logSums = empty(queries.shape[..^1], dtype: float32);
        ForwardKernel forward = VectorWidth.Floats >= Floats8.Count
            ? AttentionKernel<Floats8>.Forward
            : AttentionKernel<Floats4>.Forward;
        if (IsWide(queries))
            forward = VectorWidth.Floats == Floats16.Count ? WideAttentionKernel<Floats16>.Forward : WideAttentionKernel<Floats8>.Forward;
        forward(ShapeOf(queries), Address(queries), Address(keys), Address(values), Address(output), Address(logSums));
        return (output.to(type).MoveToOuterDisposeScope(), logSums.MoveToOuterDisposeScope());
    }

    private static Tensor Exact(Tensor tensor) => tensor.to(float32).contiguous();

    private static AttentionShape ShapeOf(Tensor queries) => new(
        (int)queries.size(0), (int)queries.size(1), (int)queries.size(2), (int)queries.size(3));
}
