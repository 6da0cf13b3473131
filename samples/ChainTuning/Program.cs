// Tunes a second chain to tell cats from dogs, and leaves the first as it is: [MODEL_FOLDER]
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

var mlContext = new MLContext(seed: 1);
using var model = TinyModel.LoadOrTrain(args);
string[] verbs = ["sat on", "ran to", "slept under", "looked at", "jumped over", "waited for"];
string[] things = ["mat", "house", "tree", "table", "door"];
string[] animals = ["cat", "dog"];
var rows = animals.SelectMany(animal => verbs.SelectMany(verb => things.Select(thing =>
    new Row { Text = $"the {animal} {verb} the {thing}.", Label = animal }))).ToArray();
var split = mlContext.Data.TrainTestSplit(mlContext.Data.LoadFromEnumerable(rows), testFraction: 0.25);

// Any label becomes a key, the key is learnt, and the predicted key becomes a label again.
var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    .Append(mlContext.Transforms.ChainTuning(new ChainTuningEstimator.Options { Transformer = model, Epochs = 8, LearningRate = 5e-3 }))
    .Append(mlContext.Transforms.Conversion.MapKeyToValue("Predicted", "PredictedLabel"));
var tuned = pipeline.Fit(split.TrainSet);
var metrics = mlContext.MulticlassClassification.Evaluate(tuned.Transform(split.TestSet));
Console.WriteLine($"Accuracy on sentences that were not learnt: {metrics.MicroAccuracy:P0}");

using var engine = mlContext.Model.CreatePredictionEngine<Row, Prediction>(tuned);
string[] texts = ["the dog slept under the tree.", "the cat waited for the door."];
foreach (var text in texts)
    Console.WriteLine($"{text} -> {engine.Predict(new Row { Text = text }).Predicted}");

internal sealed class Row
{
    public string Text { get; set; } = "";
    public string Label { get; set; } = "";
}

internal sealed class Prediction
{
    public string Predicted { get; set; } = "";
}
