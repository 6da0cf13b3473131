using System.CommandLine;
using System.Globalization;
using Benchmarks;
using Benchmarks.Link;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var root = new RootCommand("Measures the library: ratios of things that take turns in one run.")
{
    new ProductsCommand(),
    new ChainLinearCommand(),
    new TrainStepCommand(),
    new TuneStepCommand(),
    new TuneMemoryCommand(),
    new PrefillCommand(),
    new LongPromptCommand(),
    new DecodeCommand(),
    new FormatsCommand(),
    new ChartFormatsCommand(),
    new TunedFormatsCommand(),
    new QuantizeErrorCommand(),
    new GenerateCommand(),
    new SpeculateCommand(),
    new ScoreCommand(),
    new ChoicesCommand(),
    new EvaluateCommand(),
    new CascadeCommand(),
    new CalibrateCommand(),
    new LoadCommand(),
    new LoadFormatsCommand(),
    new MemoryCommand(),
    new WholeWayCommand(),
    new SweepMemoryCommand(),
    new SweepKillsCommand(),
    new RankStepCommand(),
    new SweepRanksCommand(),
    new ExchangeCommand(),
    new ScalingCommand(),
    new LinkCommand(),
};
try
{
    return await root.Parse(args).InvokeAsync(new() { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is ArgumentException or IOException or InvalidDataException or InvalidOperationException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
