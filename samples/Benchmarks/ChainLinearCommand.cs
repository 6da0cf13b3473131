using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// A Chain-of-Linear, one of a single chain and a plain loop over its chains, against libtorch's dense layer of the same width.
/// </summary>
internal sealed class ChainLinearCommand : Benchmark
{
    private readonly Option<int> _width = CommonOptions.Count("--width", "features in and out", byDefault: 2048);
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "rows of the input", byDefault: 1024);
    private readonly Option<ChainLayout> _layout = CommonOptions.Layout("how the width is shared out", "8,8,8,8");
    private readonly Option<string> _dtype = CommonOptions.DataType();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 100);

    public ChainLinearCommand() : base(
        "chain-linear", "A Chain-of-Linear against libtorch's dense layer of the same width: forward, gradients, autograd.")
    {
        Offer(_width, _rows, _layout, _dtype, _device, _rounds);
    }

    protected override Report Measure(ParseResult result)
    {
        var (width, rows, layout) = (result.GetValue(_width), result.GetValue(_rows), result.GetRequiredValue(_layout));
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        var dtype = CommonOptions.ToDataType(result.GetRequiredValue(_dtype));
        if (width % layout.Heads.Sum() != 0)
        {
            throw new ArgumentException(
                $"--width must be a multiple of {layout.Heads.Sum()}, the sum of {layout}, found {width}.");
        }
        int[] widths = [.. layout.Heads.Select(heads => width / layout.Heads.Sum() * heads)];

        using var scope = NewDisposeScope();
        var x = Random(rows, width).requires_grad_(true);
        var gradient = Random(rows, width);
        var dense = Random(width, width).requires_grad_(true);
        using var layer = new ChainLinear(widths, widths, device, dtype);
        Tensor[] weights = [.. Enumerable.Range(0, widths.Length).Select(layer.Weight)];
        LinearWeight[] matrices = Array.ConvertAll(weights, weight => new LinearWeight(weight));
        using (no_grad())
        {
            foreach (var weight in weights)
                weight.copy_(Random(weight.size(0), weight.size(1)));
        }

        var race = new Race(device);
        EnterForward();
        EnterInputGradient();
        EnterWeightGradient();
        EnterAutograd();
        var times = race.Run(result.GetValue(_rounds));

        var settings = new Dictionary<string, object>
        {
            ["device"] = $"{device}",
            ["dtype"] = result.GetRequiredValue(_dtype),
            ["width"] = width,
            ["rows"] = rows,
            ["layout"] = $"{layout}",
            ["rounds"] = result.GetValue(_rounds),
        };
        var report = new Report($"Chain-of-Linear {{{layout}}}, {width} wide, {rows} rows", settings);
        foreach (var (name, samples) in times)
            report.Add(name, samples, basis: times[$"{name.Split(',')[0]}, dense"]);
        report.AddRatio("arithmetic", weights.Sum(weight => weight.numel()) / ((double)width * width));
        return report;

        Tensor Random(long height, long length) => randn([height, length], dtype: dtype, device: device);

        void EnterForward()
        {
            race.Enter("forward, dense", WithoutGradients(() => nn.functional.linear(x, dense)));
            race.Enter("forward, chains", WithoutGradients(() => ChainLinearKernel.Forward(x, null, matrices)));
            race.Enter("forward, one chain", WithoutGradients(() => ChainLinearKernel.Forward(x, null, [new(dense)])));
            race.Enter("forward, plain loop", WithoutGradients(() => PlainLoop(x, weights)));
        }

        void EnterInputGradient()
        {
            race.Enter("input gradient, dense", WithoutGradients(() => gradient.mm(dense)));
            race.Enter("input gradient, chains", WithoutGradients(
                () => ChainLinearKernel.InputGradient(gradient, width, 0, matrices)));
            race.Enter("input gradient, one chain", WithoutGradients(
                () => ChainLinearKernel.InputGradient(gradient, width, 0, [new(dense)])));
        }

        void EnterWeightGradient()
        {
            race.Enter("weight gradient, dense", WithoutGradients(() => gradient.t().mm(x)));
            var needed = Array.ConvertAll(weights, _ => true);
            race.Enter("weight gradient, chains", WithoutGradients(
                () => ChainLinearKernel.WeightGradients(gradient, x, null, matrices, needed)));
            race.Enter("weight gradient, one chain", WithoutGradients(
                () => ChainLinearKernel.WeightGradients(gradient, x, null, [new(dense)], [true])));
        }

        void EnterAutograd()
        {
            var chains = new ChainRange(0, widths.Length);
            // A model's layer reads what another one computed: its input's gradient goes on, and is not kept.
            race.Enter("autograd, dense", Backward(() => nn.functional.linear(x.view_as(x), dense), [dense]));
            race.Enter("autograd, chains", Backward(() => layer.forward(x.view_as(x), chains, earlier: null), weights));
            race.Enter("autograd, one chain", Backward(() => ChainLinearFunction.Apply(x.view_as(x), null, new[] { dense }), [dense]));
            race.Enter("autograd, plain loop", Backward(() => PlainLoop(x.view_as(x), weights), weights));
        }

        Action Backward(Func<Tensor> forward, Tensor[] trained) => () =>
        {
            using var turn = NewDisposeScope();
            forward().backward([gradient]);
            BackwardResults.Release();
            x.grad = null;
            foreach (var weight in trained)
                weight.grad = null;
        };
    }

    private static Tensor PlainLoop(Tensor x, Tensor[] weights) => cat(
        [.. weights.Select(weight => nn.functional.linear(x.narrow(1, 0, weight.size(1)), weight))], dim: 1);

    private static Action WithoutGradients(Action compute) => () =>
    {
        using var noGradients = no_grad();
        using var turn = NewDisposeScope();
        compute();
    };
}
