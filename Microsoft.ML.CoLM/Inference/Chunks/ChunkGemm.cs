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
            if (_products.TrueForAll(product => BatchedGemm.Suit(product.Input)))
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
        var panels = _products.ConvertAll(product => product.Weight.Panel(product.Input.dtype));
        if (engine.Team.Count == 1 || !OwnThread.IsPossible)
        {
            MultiplyByLibtorch(panels, 0, rows);
            return;
        }
        engine.RunShares(thread =>
        {
            using var noGradients = no_grad();
            using var ownThread = new OwnThread();
            var (first, end) = engine.Team.Share(thread, rows, RowGrain);
            if (first < end)
                MultiplyByLibtorch(panels, first, end - first);
        });
    }

    private void MultiplyByLibtorch(List<Tensor> panels, int firstRow, int rows)
    {
        using var scope = NewDisposeScope();
        foreach (var ((input, _, output, column, adds), panel) in _products.Zip(panels))
        {
            var target = Slice(output, column, panel);
            var read = input.narrow(0, firstRow, rows).narrow(1, 0, panel.size(0));
            if (adds && sums is not null)
                target.add_(Slice(sums, column, panel).addmm_(read, panel, beta: 0), Scalars.One);
            else
                target.addmm_(read, panel, beta: adds ? 1 : 0);
        }

        Tensor Slice(Tensor matrix, int column, Tensor panel) =>
            matrix.narrow(0, firstRow, rows).narrow(1, column, panel.size(1));
    }
}
