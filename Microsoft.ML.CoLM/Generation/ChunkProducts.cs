using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>A chunk's products with weights that are independent of each other, collected and then computed together.</summary>
/// <param name="team">Computes them, where libtorch is not faster.</param>
/// <param name="sums">[rows, columns of the widest sum], in the weights' type; or null where sums are of that type.</param>
internal sealed class ChunkProducts(WorkerTeam team, Tensor? sums) : IDisposable
{
    private readonly List<(Tensor Input, WeightMatrix Weight, Tensor Output, int Column, bool Adds)> _products = [];

    /// <summary>Output columns = input · weightᵀ, or with what is there added.</summary>
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
        if (_products.TrueForAll(product => BlockProducts.Suit(product.Input)))
            Multiply();
        else
            _products.ForEach(product => Multiply(product.Input, product.Weight, product.Output, product.Column, product.Adds));
        _products.Clear();
    }

    public void Dispose() => sums?.Dispose();

    private void Multiply()
    {
        var products = new BlockProducts(_products.ConvertAll(product => new TargetBlock(
            MatrixView.Of(product.Output).FromColumn(product.Column), (int)product.Input.size(0), product.Weight.Outputs,
            [new(MatrixView.Of(product.Input), product.Weight.View.Transposed(), product.Weight.Width)], product.Adds)), team.Count);
        if (products.IsSmall)
            products.TakePart();
        else
            team.Run(_ => products.TakePart());
    }

    private void Multiply(Tensor input, WeightMatrix weight, Tensor output, int column, bool adds)
    {
        using var scope = NewDisposeScope();
        var target = Slice(output, column);
        var read = input.narrow(1, 0, weight.Width);
        if (adds && sums is not null)
            target.add_(Slice(sums, column).addmm_(read, weight.Transposed, beta: 0), Scalars.One);
        else
            target.addmm_(read, weight.Transposed, beta: adds ? 1 : 0);

        Tensor Slice(Tensor matrix, int column) => matrix.narrow(0, 0, input.size(0)).narrow(1, column, weight.Outputs);
    }
}
