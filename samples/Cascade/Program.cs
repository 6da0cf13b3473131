// Scores texts with one chain, and those that it finds hard with all: [MODEL_FOLDER [TEXT...]]
using Microsoft.ML;
using Microsoft.ML.CoLM;

var mlContext = new MLContext(seed: 1);
string[] lines = ["the cat sat on the mat.", "the dog sat on the mat.", "the dog ran to the cat."];
string[] texts = args.Length > 1 ? args[1..] : [lines[0], "the cat ran to the dog.", "A quick brown fox!", "1 2 3 4 5"];
using var model = args.Length > 0 ? CoLMModel.Load(args[0]) : TrainTiny();

// The half of the texts that one chain finds easier stops there.
var (options, data) = (new ElasticScoringEstimator.Options { Model = model, ChainCount = 1 }, Rows(texts));
var losses = Score().Select(row => Math.Log(row.Perplexity)).Order().ToArray();
var threshold = losses[(losses.Length - 1) / 2] + 1e-4;
options.ChainCount = null;
options.Cascade = new() { ChainCounts = [1, model.Config.Layout.ChainCount], Thresholds = [threshold] };
foreach (var row in Score())
    Console.WriteLine($"{row.ChainsUsed} chains, perplexity {row.Perplexity,8:F2}: {row.Text}");

IEnumerable<Row> Score() => mlContext.Data.CreateEnumerable<Row>(
    mlContext.Transforms.ElasticScoring(options).Fit(data).Transform(data), false, ignoreMissingColumns: true);

IDataView Rows(IEnumerable<string> some) =>
    mlContext.Data.LoadFromEnumerable(some.Select(text => new Row { Text = text }));

CoLMModel TrainTiny() => mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
{
    Architecture = new CoLMConfig
    { Layout = new(2, 2), VocabularySize = 258, HiddenSize = 32, IntermediateSize = 64, LayerCount = 2 },
    Objective = TrainingObjective.MultiChain,
    SequenceLength = 32,
    MaxSteps = 60,
}).Fit(Rows(Enumerable.Repeat(lines, 30).SelectMany(some => some))).Model;

internal sealed class Row
{
    public string Text { get; set; } = "";
    public float Perplexity { get; set; }
    public int ChainsUsed { get; set; }
}
