using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// What multiplies matrices on this machine, what choosing it takes, and what each candidate takes at products of many sizes.
/// </summary>
internal sealed class ProductsCommand : Benchmark
{
    // Rows, inputs, outputs.
    private static readonly (int Rows, int Inputs, int Outputs)[] Sizes =
        [(128, 768, 768), (64, 768, 768), (512, 768, 768), (512, 768, 2048), (1024, 2048, 2048), (512, 768, 32000)];

    private readonly Option<int> _choices = CommonOptions.Count("--choices", "how often the choice is made", byDefault: 20);
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 10);

    public ProductsCommand() : base("products", "What multiplies matrices here, what choosing it takes, and what each candidate takes.") =>
        Offer([_choices, _rounds]);

    protected override Report Measure(ParseResult result)
    {
        var report = new Report("What multiplies matrices", new Dictionary<string, object>
        {
            ["chosen"] = MatrixProducts.Current,
            ["suggested"] = ProductChoice.Suggested,
            ["rounds"] = result.GetValue(_rounds),
        });
        List<double> times = [];
        Dictionary<MatrixProducts, int> found = [];
        for (var i = 0; i < result.GetValue(_choices); i++)
        {
            var start = Stopwatch.GetTimestamp();
            var choice = ProductChoice.Measure();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            found[choice] = found.GetValueOrDefault(choice) + 1;
        }
        report.Add("choosing", new Samples(times));
        foreach (var (choice, count) in found.OrderByDescending(entry => entry.Value))
            report.AddRatio($"chose {choice}", (double)count / times.Count);
        foreach (var type in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
        {
            foreach (var (rows, inputs, outputs) in Sizes)
                Compare(report, type, rows, inputs, outputs, result.GetValue(_rounds));
        }
        return report;
    }

    private static void Compare(Report report, ScalarType type, int rows, int inputs, int outputs, int rounds)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var (x, weight) = (randn([rows, inputs], dtype: type), new LinearWeight(randn([outputs, inputs], dtype: type)));
        var race = new Race(CPU);
        foreach (var library in Enum.GetValues<MatrixLibrary>().Where(library => library != MatrixLibrary.Widened || type == ScalarType.BFloat16))
        {
            var products = new MatrixProducts(library == MatrixLibrary.Widened ? MatrixProducts.Current.Float32 : library, library);
            race.Enter($"{library}", () =>
            {
                using var turn = NewDisposeScope();
                using var use = MatrixProducts.Use(products);
                _ = ChainLinearKernel.Forward(x, earlier: null, [weight]);
            });
        }
        var times = race.Run(rounds);
        foreach (var (name, samples) in times)
        {
            report.Add(string.Create(CultureInfo.InvariantCulture, $"{type}, {rows} x {inputs} by {outputs}, {name}"), samples,
                basis: times[$"{MatrixLibrary.LibTorch}"]);
        }
    }
}
