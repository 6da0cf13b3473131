// Trains two chains from nothing for the last chain count, then the language heads alone for both:
// [TRAIN.jsonl VALIDATION.jsonl TOKENIZER_FOLDER [STEPS]]
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

var mlContext = new MLContext(seed: 1);
string[] lines = ["the cat sat on the mat. ", "the dog sat on the mat. ", "the dog ran to the cat. ", "the cat ran to the dog. "];
var hasFiles = args.Length >= 3;
var steps = args.Length > 3 ? int.Parse(args[3], System.Globalization.CultureInfo.InvariantCulture) : hasFiles ? 600 : 100;
var train = Rows(hasFiles ? JsonLines.Texts(args[0]) : Enumerable.Repeat(string.Concat(lines), 60));
var validation = Rows(hasFiles ? JsonLines.Texts(args[1]) : [lines[3] + lines[0] + lines[2] + lines[1]]);

using var plain = mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
{
    Architecture = new CoLMConfig
    {
        Layout = new ChainLayout(4, 4),
        KvSharing = true,
        VocabularySize = hasFiles ? 512 : 258,
        BosTokenId = hasFiles ? 1 : null,
        HiddenSize = 64,
        IntermediateSize = 172,
        LayerCount = 4,
        ContextLength = 512,
    },
    TokenizerFolder = hasFiles ? args[2] : null,
    ValidationSet = validation,
    LearningRate = 3e-3,
    SequenceLength = hasFiles ? 256 : 64,
    MaxSteps = steps,
}).Fit(train);
Show("plain objective, last chain count", plain.Training!.ValidationLosses);

using var heads = mlContext.Transforms.ChainTuning(new ChainTuningEstimator.Options
{
    Transformer = plain,
    Task = TuningTask.LanguageHeads,
    ValidationSet = validation,
    LearningRate = 3e-3,
    BatchSize = 16,
    SequenceLength = hasFiles ? 256 : 64,
    MaxSteps = steps / 2,
}).Fit(train);
Show("then the heads alone, both", heads.Training!.ValidationLosses);

IDataView Rows(IEnumerable<string> texts) => mlContext.Data.LoadFromEnumerable(texts.Select(text => new Row(text)).ToArray());

static void Show(string what, IReadOnlyList<double> losses) => Console.WriteLine(
    $"{what,-35} {string.Join("  ", losses.Select((loss, i) => $"loss at chain count {i + 1}: {loss:F4}"))}");

internal sealed record Row(string Text);
