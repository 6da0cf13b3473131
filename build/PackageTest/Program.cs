using Microsoft.ML;

if (args is not [var modelFolder, var zip])
{
    Console.Error.WriteLine("usage: PackageTest MODEL_FOLDER MODEL_ZIP");
    return 2;
}

var mlContext = new MLContext(seed: 1);
var row = new Row { Text = "Once upon a time there was a little dog." };
var data = mlContext.Data.LoadFromEnumerable([row]);

using var scoring = mlContext.Transforms.ElasticScoring(modelFolder).Fit(data);
var fromFolder = Score(scoring, data.Schema);

var loaded = mlContext.Model.Load(zip, out var schema);
var fromZip = Score(loaded, schema);
(loaded as IDisposable)?.Dispose();

Console.WriteLine($"LogProbability: {fromFolder} from the folder, {fromZip} from the zip");
return float.IsFinite(fromFolder) && float.IsFinite(fromZip) ? 0 : 1;

float Score(ITransformer model, DataViewSchema inputSchema)
{
    using var engine = mlContext.Model.CreatePredictionEngine<Row, Scored>(model, inputSchema);
    return engine.Predict(row).LogProbability;
}

internal sealed class Row
{
    public string Text { get; set; } = "";
}

internal sealed class Scored
{
    public float LogProbability { get; set; }
}
