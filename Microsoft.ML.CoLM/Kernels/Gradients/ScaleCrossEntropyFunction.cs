using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// The cross-entropies of a head's scales, Σ_k w_k · Σ_rows -log softmax(Σ_{i≤k} x_i · h_iᵀ)[target], with gradients.
/// </summary>
/// <remarks>
/// A vocabulary's logits are by far the largest thing in a training step. So rows are worked on in blocks, and a block's
/// gradients are formed at once: what is kept is as large as features and heads, and of logits, in float32, no more than a
/// block's at each scale ever exists.
/// </remarks>
internal sealed class ScaleCrossEntropyFunction : SingleTensorFunction<ScaleCrossEntropyFunction>
{
    /// <summary>
    /// Logits of a block, at one scale: 128 MiB in float32, which is 261 rows of a vocabulary of 128,256. The heads' gradients
    /// are read and written once a block: they want blocks of many rows.
    /// </summary>
    public const int LogitsAtOnce = 1 << 25;

    // Rows of a head's gradient that are computed at once where it is added up in another type than the product's.
    private const int HeadRowsAtOnce = 1 << 14;

    private const string Needs = "needs gradient";

    public override string Name => nameof(ScaleCrossEntropyFunction);

    /// <param name="features">x_i of each chain, [rows, D_i].</param>
    /// <param name="heads">h_i of each chain, [V, D_i].</param>
    /// <param name="targets">[rows], Int64, below V.</param>
    /// <param name="weights">w_k of each chain's scale; zero leaves it out.</param>
    /// <param name="logitsAtOnce">Logits of a block; one row's at least.</param>
    /// <returns>A scalar, in float32 unless the features are in float64.</returns>
    public static Tensor Apply(
        Tensor[] features, LinearWeight[] heads, Tensor targets, double[] weights, int logitsAtOnce = LogitsAtOnce)
    {
        using var scope = NewDisposeScope();
        if (!is_grad_enabled())
            return Compute(features, heads, targets, weights, logitsAtOnce, new bool[2 * heads.Length]).MoveToOuterDisposeScope();
        // Through views, as in ChainLinearFunction: libtorch then keeps what the backward function returns.
        return apply([targets, weights, logitsAtOnce, .. features, .. LinearWeight.Inputs(heads)]).MoveToOuterDisposeScope();
    }

    public override Tensor forward(AutogradContext ctx, params object[] vars)
    {
        var chains = (vars.Length - 3) / 2;
        var features = Array.ConvertAll(vars[3..(3 + chains)], input => (Tensor)input);
        var heads = Array.ConvertAll(vars[(3 + chains)..], LinearWeight.OfInput);
        bool[] needs = [.. features.Select(x => x.requires_grad), .. heads.Select(head => head.NeedsGradient)];
        var gradients = new Tensor?[needs.Length];
        var loss = Compute(features, heads, (Tensor)vars[0], (double[])vars[1], (int)vars[2], needs, gradients);
        // A type for each: heads' gradients are added up in a wider one than the heads'.
        ScalarType?[] types = [.. features.Select(x => (ScalarType?)x.dtype), .. heads.Select(head => head.Numbers?.dtype)];
        ctx.save_data(Needs, types.Select((type, i) => gradients[i] is null ? null : type).ToArray());
        ctx.save_for_backward([.. gradients.OfType<Tensor>()]);
        return loss;
    }

    public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
        BackwardResults.Keep(grad_output, () =>
        {
            var types = (ScalarType?[])ctx.get_data(Needs);
            var saved = new Queue<Tensor>(ctx.get_saved_variables());
            // In place: nobody else reads them, and a head's gradient is as large as the head. A training multiplies them by one.
            var isOne = grad_output.device_type == DeviceType.CPU && Scalars.Read(grad_output) == 1;
            return [null, null, null,
                .. types.Select(type => type is { } own ? Scaled(saved.Dequeue()).to(own) : null)];

            Tensor Scaled(Tensor gradient) => isOne ? gradient : gradient.mul_(grad_output);
        });

    /// <summary>The loss, and the gradients that are needed.</summary>
    private static Tensor Compute(
        Tensor[] features, LinearWeight[] heads, Tensor targets, double[] weights, int logitsAtOnce, bool[] needs,
        Tensor?[]? gradients = null)
    {
        var (chains, rows, vocabulary) = (heads.Length, targets.size(0), heads[0].Outputs);
        var sumType = features[0].dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32;
        while (weights[chains - 1] == 0)
            chains--;
        for (var i = 0; i < chains; i++)
        {
            if (needs[i])
                gradients![i] = empty_like(features[i]);
            if (needs[heads.Length + i])
                gradients![heads.Length + i] = empty([heads[i].Outputs, heads[i].Width], dtype: sumType, device: features[i].device);
        }

        var losses = new List<Tensor>();
        var block = Math.Max(1, logitsAtOnce / vocabulary);
        for (long first = 0; first < rows; first += block)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(block, rows - first);
            var own = Array.ConvertAll(features[..chains], x => x.narrow(0, first, count));
            var (loss, logitGradients) = OfBlock(
                own, heads, targets.narrow(0, first, count), weights, sumType, gradients is not null);
            losses.Add(loss.MoveToOuterDisposeScope());
            if (gradients is not null)
                AddGradients(own, heads, logitGradients, gradients, first);
        }
        return stack(losses).sum();
    }

    /// <summary>A block's loss, and the gradients of its logits at each scale, [rows, V] or null.</summary>
    private static (Tensor Loss, Tensor?[] Gradients) OfBlock(
        Tensor[] features, LinearWeight[] heads, Tensor targets, double[] weights, ScalarType sumType, bool needsGradients)
    {
        if (CrossEntropyKernel.Suits(features[0]))
            return OfBlockByKernel(features, heads, targets, weights, needsGradients);
        targets = targets.unsqueeze(1);
        var gradients = new Tensor?[features.Length];
        Tensor? logits = null, sum = null;
        for (var i = 0; i < features.Length; i++)
        {
            var earlier = logits;
            logits = HeadGemm.Add(earlier, features[i], heads[i]);
            earlier?.Dispose();
            if (weights[i] == 0)
                continue;
            using var weight = weights[i].ToScalar();
            var (loss, probabilities) = OfScale(logits.to(sumType), targets);
            var weighted = loss.mul_(weight);
            sum = sum is null ? weighted : sum.add_(weighted, Scalars.One);
            if (needsGradients)
            {
                // Of the logits: the probabilities, less one at the target.
                gradients[i] = probabilities.scatter_add_(1, targets, full_like(targets, Scalars.MinusOne, dtype: sumType)).mul_(weight);
            }
            else
            {
                probabilities.Dispose();
            }
        }
        return (sum!, gradients);
    }

    /// <summary>The last scale's gradient takes the place of its logits, unless others are to be added to it in a wider type.</summary>
    private static (Tensor Loss, Tensor?[] Gradients) OfBlockByKernel(
        Tensor[] features, LinearWeight[] heads, Tensor targets, double[] weights, bool needsGradients)
    {
        var gradients = new Tensor?[features.Length];
        var isAlone = Array.FindIndex(weights, weight => weight != 0) == features.Length - 1;
        Tensor? logits = null;
        var sum = 0.0;
        for (var i = 0; i < features.Length; i++)
        {
            logits = HeadGemm.AddOver(logits, features[i], heads[i]);
            if (weights[i] == 0)
                continue;
            var replaces = i == features.Length - 1 && (isAlone || logits.dtype == ScalarType.Float32);
            if (needsGradients)
                gradients[i] = replaces ? logits : empty(logits.shape, dtype: ScalarType.Float32);
            sum += weights[i] * CrossEntropyKernel.Sum(logits, targets, gradients[i], weights[i]);
        }
        return (tensor((float)sum), gradients);
    }

    private static (Tensor Loss, Tensor Probabilities) OfScale(Tensor logits, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var shifted = logits.sub(logits.amax([1], keepdim: true));                          // [rows, V]
        var target = shifted.gather(1, targets);                                            // [rows, 1]
        var exponentials = shifted.exp_();
        var sums = exponentials.sum([1], keepdim: true);
        var loss = sums.log().sub(target).sum();
        return (loss.MoveToOuterDisposeScope(), exponentials.div_(sums).MoveToOuterDisposeScope());
    }

    /// <summary>Every chain adds to the scales from its own on.</summary>
    private static void AddGradients(
        Tensor[] features, LinearWeight[] heads, Tensor?[] ofScales, Tensor?[] gradients, long first)
    {
        Tensor? sum = null;
        for (var i = features.Length - 1; i >= 0; i--)
        {
            if (ofScales[i] is { } own)
                sum = sum?.add_(own, Scalars.One) ?? own;
            using var scope = NewDisposeScope();
            var narrow = sum!.to(features[i].dtype);
            if (gradients[i] is { } featureGradient)
            {
                featureGradient.narrow(0, first, narrow.size(0))
                    .copy_(ChainLinearKernel.InputGradient(narrow, heads[i].Width, earlierWidth: 0, [heads[i]]));
            }
            if (gradients[heads.Length + i] is { } headGradient)
                AddHeadGradient(headGradient, narrow, features[i], adds: first > 0);
        }
    }

    // sum = gradientᵀ · x, or sum += gradientᵀ · x
    private static void AddHeadGradient(Tensor sum, Tensor gradient, Tensor x, bool adds)
    {
        if (MatrixProducts.AreOwn(x))
        {
            var term = new GemmTerm(MatrixView.Of(gradient).Transposed(), MatrixView.Of(x), (int)x.size(0));
            BatchedGemm.Run([new(MatrixView.Of(sum), (int)sum.size(0), (int)sum.size(1), [term], adds)]);
            return;
        }
        using var widened = NewDisposeScope();
        if (MatrixProducts.Widen(x))
            (gradient, x) = (gradient.to(ScalarType.Float32), x.to(ScalarType.Float32));
        if (sum.dtype == gradient.dtype)
        {
            sum.addmm_(gradient.t(), x, beta: adds ? 1 : 0, alpha: 1);
            return;
        }
        for (long row = 0; row < sum.size(0); row += HeadRowsAtOnce)
        {
            using var scope = NewDisposeScope();
            var count = Math.Min(HeadRowsAtOnce, sum.size(0) - row);
            var (part, product) = (sum.narrow(0, row, count), gradient.narrow(1, row, count).t().mm(x));
            _ = adds ? part.add_(product, Scalars.One) : part.copy_(product);
        }
    }
}
