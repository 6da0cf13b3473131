// Finds where few chains are enough, on half of some texts, and scores the other half so: [MODEL_FOLDER TEXTS [TOLERANCE]]
using Microsoft.ML;
using Microsoft.ML.CoLM;

var mlContext = new MLContext(seed: 1);
string[] ends = ["on the mat.", "to the cat.", "under the old red tree, and it rained.", "1 2 3 4 5", "by the Rhine!"];
string[] texts = args.Length > 1 ? File.ReadAllLines(args[1]) : [.. from animal in (string[])["cat", "dog", "fox", "owl"]
    from verb in (string[])["sat", "ran", "slept", "waited", "sang"] from end in ends select $"the {animal} {verb} {end}"];
new Random(1).Shuffle(texts);
using var model = args.Length > 0
    ? mlContext.Transforms.ElasticScoring(args[0]).Fit(Rows("")) : TrainTiny("the cat sat on the mat.", "the dog ran to the cat.");

// The promise is about texts that the thresholds were not found by, so it keeps a distance from the tolerance.
var tolerance = args.Length > 2 ? double.Parse(args[2], System.Globalization.CultureInfo.InvariantCulture) : 0.05;
var found = mlContext.CoLM().CalibrateCascade(model, Rows(texts[..(texts.Length / 2)]), tolerance);
Console.WriteLine(found);
using var cascade = model.WithCascade(found.Cascade);
foreach (var row in mlContext.Data.CreateEnumerable<Row>(cascade.Transform(Rows(texts[(texts.Length / 2)..][..8])), false))
    Console.WriteLine($"{row.ChainsUsed} chains, perplexity {row.Perplexity,8:F2}: {row.Text}");

IDataView Rows(params IEnumerable<string> some) =>
    mlContext.Data.LoadFromEnumerable(some.Select(text => new Row { Text = text }));

ElasticScoringTransformer TrainTiny(params string[] lines) => mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
{
    Architecture = new CoLMConfig
    { Layout = new(2, 2), VocabularySize = 258, HiddenSize = 32, IntermediateSize = 64, LayerCount = 2 },
    Objective = TrainingObjective.MultiChain,
    SequenceLength = 32,
    MaxSteps = 60,
}).Fit(Rows(Enumerable.Repeat(lines, 40).SelectMany(some => some)));

internal sealed class Row
{
    public string Text { get; set; } = "";
    public float Perplexity { get; set; }
    public int ChainsUsed { get; set; }
}
