using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A chunk's products with weights that are independent of each other, collected and then computed together.</summary>
/// <param name="engine">Whose threads compute them.</param>
/// <param name="sums">[rows, columns of the widest sum], in the weights' type; or null where sums are of that type.</param>
internal sealed class ChunkGemm(InferenceEngine engine, Tensor? sums) : IDisposable
{
    // Rows of a share are whole multiples of this.
    private const int RowGrain = 16;

    private readonly List<(Tensor Input, WeightMatrix Weight, Tensor Output, int Column, bool Adds)> _products = [];

    /// <summary>Output columns = input · weightᵀ, or with what is there added; computed within the dispose scope of this call.</summary>
    /// <param name="input">[rows, at least the weight's width]; the first columns are read.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="output">[at least as many rows, columns].</param>
    /// <param name="column">The first column that is written.</param>
    /// <param name="adds">Whether to add to the output, which is float32 then, or to replace it.</param>
    public void Add(Tensor input, WeightMatrix weight, Tensor output, int column, bool adds = false) =>
        _products.Add((input, weight, output, column, adds));

    /// <summary>Computes what was collected.</summary>
    public void Run()
    {
        try
        {
            if (_products.TrueForAll(product => MatrixProducts.AreOwn(product.Input)))
                Multiply();
            else
                MultiplyByLibtorch();
        }
        finally
        {
            _products.Clear();
        }
    }

    public void Dispose() => sums?.Dispose();

    private void Multiply()
    {
        var products = new BatchedGemm(_products.ConvertAll(product => new TargetBlock(
            MatrixView.Of(product.Output).FromColumn(product.Column), (int)product.Input.size(0), product.Weight.Outputs,
            [new(MatrixView.Of(product.Input), product.Weight.View(), product.Weight.Width)], product.Adds)), engine.Team.Count);
        if (products.IsSmall)
            products.TakePart();
        else
            engine.RunShares(_ => products.TakePart());
    }

    // Each thread some of the rows: libtorch's own threads would go on spinning for a while, on the cores that the team's
    // threads need next.
    private void MultiplyByLibtorch()
    {
        using var scope = NewDisposeScope();
        var rows = (int)_products[0].Input.size(0);
        var operands = Operands();
        if (engine.Team.Count == 1 || !OwnThread.IsPossible)
        {
            MultiplyByLibtorch(operands, 0, rows);
            return;
        }
        engine.RunShares(thread =>
        {
            using var noGradients = no_grad();
            using var ownThread = new OwnThread();
            var (first, end) = engine.Team.Share(thread, rows, RowGrain);
            if (first < end)
                MultiplyByLibtorch(operands, first, end - first);
        });
    }

    // [rows, width] and [width, outputs] of each product; float32 where bfloat16 is multiplied so.
    private List<(Tensor Input, Tensor Panel)> Operands()
    {
        var panels = _products.ConvertAll(product => product.Weight.Panel(product.Input.dtype));
        if (!_products.TrueForAll(product => MatrixProducts.Widen(product.Input)))
            return [.. _products.Zip(panels, (product, panel) => (product.Input, panel))];
        var inputs = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
        foreach (var (input, _, _, _, _) in _products)
        {
            if (!inputs.ContainsKey(input))
                inputs.Add(input, Wide(input));
        }
        return [.. _products.Zip(panels, (product, panel) => (inputs[product.Input], Wide(panel)))];
    }

    private static Tensor Wide(Tensor matrix) => matrix.to(ScalarType.Float32);

    private void MultiplyByLibtorch(List<(Tensor Input, Tensor Panel)> operands, int firstRow, int rows)
    {
        using var scope = NewDisposeScope();
        foreach (var ((_, _, output, column, adds), (input, panel)) in _products.Zip(operands))
        {
            var target = Slice(output, column, panel);
            var read = input.narrow(0, firstRow, rows).narrow(1, 0, panel.size(0));
            if (read.dtype == target.dtype)
                target.addmm_(read, panel, beta: adds ? 1 : 0);
            else if (adds)
                target.add_(Slice(sums!, column, panel).addmm_(read, panel, beta: 0), Scalars.One);
            else
                target.copy_(read.mm(panel));
        }

        Tensor Slice(Tensor matrix, int column, Tensor panel) =>
            matrix.narrow(0, firstRow, rows).narrow(1, column, panel.size(1));
    }
}
