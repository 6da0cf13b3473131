using System.CommandLine;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>One model in every weight format: size, a token, a prompt and, of texts, the loss, at every chain count.</summary>
internal sealed class FormatsCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<string[]> _formats = new Option<string[]>("--formats")
    {
        Description = "which formats; several joined by commas are those of each chain, and a plus sign at the end rounds for --calibration",
        HelpName = "float32|bfloat16|int8|int4|int4+",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => ["float32", "bfloat16", "int8", "int4"],
    };
    private readonly Option<FileInfo> _texts = new Option<FileInfo>("--texts")
    {
        Description = "JSON lines with \"text\", whose loss is measured too",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<FileInfo> _calibration = new Option<FileInfo>("--calibration")
    {
        Description = "JSON lines with \"text\", others than --texts, to round for",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<int> _rows = CommonOptions.Count("--rows", "texts whose loss is measured", byDefault: 200);
    private readonly Option<int> _prompt = CommonOptions.Count("--prompt", "tokens of the prompt", byDefault: 512);
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "tokens of a turn behind it", byDefault: 16);
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 10);

    public FormatsCommand() : base("formats", "One model in every weight format: size, speed and, of texts, loss at every chain count.")
    {
        Offer([.. _model.All, _formats, _texts, _calibration, _rows, _prompt, _tokens, _rounds]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var (prompt, tokens) = (result.GetValue(_prompt), result.GetValue(_tokens));
        string[] names = [.. result.GetRequiredValue(_formats).Distinct()];
        using var source = _model.Create(result, CPU);
        prompt = Math.Min(prompt, source.Config.ContextLength - tokens);
        var chains = source.Config.Layout.ChainCount;
        var texts = result.GetValue(_calibration) is { } calibration ? Document.Read(calibration).Select(row => row.Text) : null;
        var models = Array.ConvertAll(names, name => WeightFormats.Apply(source, name, texts));
        var race = new Race(CPU);
        var sessions = Array.ConvertAll(models, model => DecodingSession.Create(
            model, new KvCache(model, prompt + tokens, 1, isBlocked: true), ownsCache: true, mayGrow: false));
        var random = new Random(1);
        int[] ids = [.. Enumerable.Range(0, prompt).Select(_ => random.Next(source.Config.VocabularySize))];
        for (var chainCount = 1; chainCount <= chains; chainCount++)
        {
            foreach (var (name, model, session) in names.Zip(models, sessions))
            {
                var range = new ChainRange(0, chainCount);
                race.Enter(Label("prompt", name, chainCount), () => Prefill(session, ids, range));
                race.Enter(Label("token", name, chainCount), () => Decode(session, prompt, tokens, range));
                var read = new PlainRead(Weights(model, chainCount, isRead: true));
                race.Enter(Label("plain read", name, chainCount), () =>
                {
                    for (var i = 0; i < tokens; i++)
                        read.Run();
                });
            }
        }
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, source);
        settings.Add("prompt", prompt);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"Weight formats, {{{source.Config.Layout}}}", settings);
        for (var chainCount = 1; chainCount <= chains; chainCount++)
        {
            foreach (var (name, model) in names.Zip(models))
            {
                var values = Values(result, model, chainCount);
                Add("token", time => tokens * 1000 / time);
                Add("prompt", time => prompt * 1000 / time);
                report.Add($"{Label("token", name, chainCount)}, share of a plain read's speed",
                    times[Label("plain read", name, chainCount)].RelativeTo(times[Label("token", name, chainCount)]), unit: "", values: values);

                void Add(string what, Func<double, double> speed)
                {
                    var label = Label(what, name, chainCount);
                    report.Add(label, times[label].Select(speed), "tokens/s",
                        basis: times[Label(what, names[0], chains)].Select(speed), values: values);
                }
            }
        }
        Array.ForEach(sessions, session => session.Dispose());
        Array.ForEach(models, model => model.Dispose());
        return report;
    }

    private Dictionary<string, double> Values(ParseResult result, CoLMModel model, int chainCount)
    {
        var values = new Dictionary<string, double>
        {
            ["MB"] = Math.Round(Weights(model, chainCount, isRead: false).Sum(weight => weight.numel() * weight.element_size()) / 1e6, 2),
        };
        if (result.GetValue(_texts) is { } file)
            values["Loss"] = Loss(model, chainCount, file, result.GetValue(_rows));
        return values;
    }

    private static double Loss(CoLMModel model, int chainCount, FileInfo file, int rows)
    {
        var mlContext = new MLContext(seed: 1);
        var data = mlContext.Data.LoadFromEnumerable(Document.Read(file).Take(rows));
        using var transformer = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model,
            ChainCount = chainCount,
        }).Fit(data);
        return mlContext.CoLM().EvaluateLanguageModel(transformer.Transform(data)).Loss;
    }

    private static string Label(string what, string name, int chainCount) => $"{what}, {name}, {chainCount} chains";

    private static void Prefill(IDecodingSession session, int[] ids, ChainRange chains)
    {
        session.Trim(0, 0);
        session.Prefill(0, ids.AsSpan(..^1), chains.End);
        session.Run([new DecodingRow(0, ids.Length - 1, ids[^1])], 0, chains);
        _ = session.Logits(0);
    }

    private static void Decode(IDecodingSession session, int prompt, int tokens, ChainRange chains)
    {
        session.Trim(0, prompt);
        for (var i = 0; i < tokens; i++)
        {
            session.Run([new DecodingRow(0, prompt + i, i)], 0, chains);
            _ = session.Logits(0);
        }
    }

    // The embedding is not read but for one row, unless it is the head, too.
    private static IEnumerable<Tensor> Weights(CoLMModel model, int chainCount, bool isRead) => model.named_parameters()
        .Where(entry => ParameterName.Parse(entry.name) is var (module, chain) && chain < chainCount &&
            (!isRead || module != "embed_tokens" || (chain == 0 && model.Config.TieWordEmbeddings)))
        .Select(entry => entry.parameter);
}
