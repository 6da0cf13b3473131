// Finds where few chains are enough, on half of some texts, and scores the other half so: [MODEL_FOLDER TEXT_FILE]
using Microsoft.ML;
using Microsoft.ML.CoLM;

var mlContext = new MLContext(seed: 1);
string[] texts = args.Length > 1 ? File.ReadAllLines(args[1]) : [.. Sentences("cat", "dog", "fox", "owl", "elk")];
new Random(1).Shuffle(texts);
using var model = args.Length > 0 ? mlContext.Transforms.ElasticScoring(args[0]).Fit(Rows("")) : TrainTiny();

// At most so much more loss than with all chains, also on texts that the threshold was not found by.
var (tolerance, half) = (args.Length > 0 ? 0.01 : 0.4, texts.Length / 2);
var found = mlContext.CoLM().CalibrateCascade(model, Rows(texts[..half]), tolerance);
Console.WriteLine(found);
using var cascade = model.WithCascade(found.Cascade);
foreach (var row in mlContext.Data.CreateEnumerable<Row>(cascade.Transform(Rows(texts[half..])), false).Take(8))
    Console.WriteLine($"{row.ChainsUsed} chains, perplexity {row.Perplexity,8:F2}: {row.Text}");

IDataView Rows(params IEnumerable<string> some) => mlContext.Data.LoadFromEnumerable(some.Select(text => new Row { Text = text }));

IEnumerable<string> Sentences(params string[] animals) =>
    from animal in animals
    from verb in (string[])["sat", "ran", "slept", "waited", "sang"]
    from end in (string[])["on the mat", "to the cat", "by the old red tree, and it rained", "1 2 3 4 5", "as, hm, a Häuschen"]
    select $"the {animal} {verb} {end}.";

ElasticScoringTransformer TrainTiny() => mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
{
    Architecture = new() { Layout = new(2, 6), VocabularySize = 258, HiddenSize = 16, IntermediateSize = 32, LayerCount = 2 },
    Objective = TrainingObjective.MultiChain,
    SequenceLength = 32,
    LearningRate = 5e-3,
    MaxSteps = 120,
}).Fit(Rows(Sentences("cow", "hen", "pig", "bee")));

internal sealed class Row
{
    public string Text { get; set; } = "";
    public float Perplexity { get; set; }
    public int ChainsUsed { get; set; }
}
