using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>The stages of <see cref="WholeWayCommand"/>, as a user's program does them, one after the other.</summary>
/// <param name="meter">Measures them.</param>
/// <param name="place">An empty folder, for the models.</param>
/// <param name="dataType">The type of weights and features.</param>
internal sealed class WholeWay(StageMeter meter, string place, ScalarType dataType) : IDisposable
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly string _base = Directory.CreateDirectory(Path.Combine(place, "base")).FullName;
    private readonly string _grownFolder = Path.Combine(place, "grown");
    private readonly string _tunedZip = Path.Combine(place, "tuned.zip");
    private ElasticScoringTransformer? _grown;
    private ElasticScoringTransformer? _tuned;
    private Document[] _rows = [];
    private float[] _scores = [];
    private float[] _predictions = [];

    /// <summary>Makes the folder that was downloaded: random weights in several files, and a tokenizer of the vocabulary's size.</summary>
    public void Make(ModelShape shape, int shards) => meter.Measure("make the folder", () =>
    {
        var config = shape.Config(layout: null, keyValueHeads: null, kvSharing: false) with
        {
            BosTokenId = ByteTokenizer.BeginningOfTextId,
            EosTokenIds = [ByteTokenizer.EndOfTextId],
        };
        using var model = CoLMModel.Create(config, seed: 1, CPU, dataType);
        model.TokenizerFiles = BytePairFiles.Create(config.VocabularySize);
        ShardedFolder.Write(model, _base, shards);
        return Bytes(model);
    });

    public void Load() => meter.Measure("load it", () =>
    {
        using var transformer = _mlContext.Transforms.ElasticScoring(_base).Fit(Data(Array.Empty<Document>()));
        return Bytes(transformer.Model);
    });

    public void Expand(LabelledDocument[] texts, ChainExpansionEstimator.Options options) => meter.Measure("expand", () =>
    {
        (options.ModelFolder, options.KvSharing, options.DataType) = (_base, true, dataType);
        _grown = _mlContext.Transforms.ChainExpansion(options).Fit(Data(texts));
        return Bytes(_grown.Model);
    }, () => _grown!.Training!.TrainedParameterCount);

    public void Tune(LabelledDocument[] texts, ChainTuningEstimator.Options options) => meter.Measure("tune", () =>
    {
        options.Transformer = _grown;
        _tuned = _mlContext.Transforms.ChainTuning(options).Fit(Data(texts));
        return BytesOfBoth();
    }, () => _tuned!.Training!.TrainedParameterCount);

    /// <returns>Tokens a second.</returns>
    public double Score(Document[] rows)
    {
        _rows = rows;
        var tokens = 0;
        var seconds = meter.Measure("score", () =>
        {
            var scores = _mlContext.Data
                .CreateEnumerable<Score>(_grown!.Transform(Data(rows)), reuseRowObject: false).ToArray();
            (_scores, tokens) = ([.. scores.Select(score => score.LogProbability)], scores.Sum(score => score.TokenCount));
            return BytesOfBoth();
        });
        meter.Measure("predict", () =>
        {
            _predictions = Predictions(_tuned!);
            return BytesOfBoth();
        });
        return tokens / seconds;
    }

    /// <returns>Tokens a second.</returns>
    public double Generate(string prompt, int newTokens)
    {
        var generated = 0;
        var seconds = meter.Measure("generate", () =>
        {
            var generator = new TextGenerator(_grown!.Model, _grown.Tokenizer);
            generated = generator.GenerateResult(prompt, new() { MaxNewTokens = newTokens }).TokenIds.Count;
            return BytesOfBoth();
        });
        return generated / seconds;
    }

    public void Save()
    {
        meter.Measure("save a folder", () =>
        {
            _grown!.Model.Save(_grownFolder);
            return BytesOfBoth();
        });
        meter.Measure("save a zip", () =>
        {
            _mlContext.Model.Save(_tuned, inputSchema: null, _tunedZip);
            return BytesOfBoth();
        });
        Dispose();
    }

    /// <summary>Loads what was saved.</summary>
    /// <returns>Whether both compute what they did before, to the bit.</returns>
    public bool LoadAgain()
    {
        meter.Measure("load the folder", () =>
        {
            _grown = _mlContext.Transforms.ElasticScoring(_grownFolder).Fit(Data(_rows));
            return Bytes(_grown.Model);
        });
        var scores = Scores(_grown!);
        _grown!.Dispose();
        meter.Measure("load the zip", () =>
        {
            _tuned = (ElasticScoringTransformer)_mlContext.Model.Load(_tunedZip, out _);
            return Bytes(_tuned.Model);
        });
        return scores.SequenceEqual(_scores) && Predictions(_tuned!).SequenceEqual(_predictions);
    }

    public void Dispose()
    {
        _tuned?.Dispose();
        _grown?.Dispose();
    }

    private float[] Scores(ElasticScoringTransformer transformer) =>
    [
        .. _mlContext.Data.CreateEnumerable<Score>(transformer.Transform(Data(_rows)), reuseRowObject: false)
            .Select(score => score.LogProbability),
    ];

    private float[] Predictions(ElasticScoringTransformer transformer) =>
    [
        .. _mlContext.Data.CreateEnumerable<Prediction>(transformer.Transform(Data(_rows)), reuseRowObject: false)
            .Select(prediction => prediction.Probability),
    ];

    private IDataView Data<T>(T[] rows) where T : class => _mlContext.Data.LoadFromEnumerable(rows);

    private long BytesOfBoth() => Bytes(_grown!.Model, _tuned!.Model);

    // Models share what they did not train.
    private static long Bytes(params CoLMModel[] models) => models.SelectMany(model => model.parameters())
        .DistinctBy(weight => TensorMemory.Address(weight)).Sum(weight => weight.numel() * weight.ElementSize);

    private sealed class Prediction
    {
        public float Probability { get; set; }
    }
}
