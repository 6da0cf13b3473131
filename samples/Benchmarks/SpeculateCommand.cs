using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Greedy text by self-speculative decoding, against plain decoding of the same text.</summary>
internal sealed class SpeculateCommand : Benchmark
{
    private const int PromptWords = 5;

    private readonly ModelOptions _model = new();
    private readonly Option<FileInfo> _texts = new Option<FileInfo>("--texts")
    {
        Description = "JSON lines with \"text\", whose first words are the prompts; without it, they are made up",
        HelpName = "FILE",
    }.AcceptExistingOnly();
    private readonly Option<int> _prompts = CommonOptions.Count("--prompts", "how many prompts", byDefault: 20);
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "new tokens of each", byDefault: 200);
    private readonly Option<int> _drafts = CommonOptions.Count("--max-drafts", "the most tokens drafted at once", byDefault: 8);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public SpeculateCommand() : base("speculate", "Self-speculative decoding against plain decoding, greedy. A random model's " +
        "later chains have heads of zeros, so that its first chain's drafts are always right.")
    {
        Offer([.. _model.All, _texts, _prompts, _tokens, _drafts, _device, _rounds]);
        Validators.Add(_model.Validate);
        Validators.Add(result =>
        {
            if (result.GetValue(_model.Model) is null && result.GetValue(_model.Layout) is not { ChainCount: > 1 })
                result.AddError("--layout must name at least two chains, such as 3,9.");
        });
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = Create(result, device);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var rows = result.GetValue(_texts) is { } file
            ? Document.Read(file)
            : Texts.Rows(result.GetValue(_prompts), PromptWords);
        string[] prompts = [.. rows.Take(result.GetValue(_prompts))
            .Select(row => string.Join(' ', row.Text.Split(' ').Take(PromptWords)))];

        var results = new Dictionary<bool, GenerationResult[]>();
        var race = new Race(device);
        foreach (var speculative in new[] { false, true })
            race.Enter(speculative ? "speculative" : "plain", () => results[speculative] = Generate(speculative));
        var times = race.Run(result.GetValue(_rounds));
        for (var i = 0; i < prompts.Length; i++)
        {
            if (!results[false][i].TokenIds.SequenceEqual(results[true][i].TokenIds))
                throw new InvalidOperationException($"Speculation changed the text of prompt {i + 1}, \"{prompts[i]}\".");
        }

        var settings = _model.Describe(result, model);
        settings.Add("prompts", prompts.Length);
        settings.Add("tokens", result.GetValue(_tokens));
        settings.Add("identical", "all texts");
        var report = new Report($"A token, greedy, {{{model.Config.Layout}}}", settings);
        foreach (var speculative in new[] { false, true })
        {
            var (name, all) = (speculative ? "speculative" : "plain", results[speculative]);
            var count = all.Sum(text => text.TokenIds.Count);
            report.Add(name, PerToken(speculative), "ms", basis: PerToken(speculative: false), values: new Dictionary<string, double>
            {
                ["Tokens"] = count,
                ["Passes a token"] = (double)all.Sum(text => text.Statistics.FullPassCount) / count,
                ["Acceptance"] = all.Sum(text => (double)text.Statistics.AcceptedTokenCount) /
                    Math.Max(1, all.Sum(text => text.Statistics.DraftedTokenCount)),
            });
        }
        return report;

        Samples PerToken(bool speculative) => times[speculative ? "speculative" : "plain"]
            .Select(time => time / results[speculative].Sum(text => text.TokenIds.Count));

        GenerationResult[] Generate(bool speculative) => Array.ConvertAll(prompts, prompt => generator.GenerateResult(prompt, new()
        {
            MaxNewTokens = result.GetValue(_tokens),
            SpeculativeDecoding = speculative,
            MaxDraftTokens = result.GetValue(_drafts),
        }));
    }

    private CoLMModel Create(ParseResult result, Device device)
    {
        if (result.GetValue(_model.Model) is not null)
            return _model.Create(result, device);
        var config = _model.RandomConfig(result);
        using var first = _model.CreateRandom(
            config.WithChainCount(1) with { BosTokenId = ByteTokenizer.BeginningOfTextId }, result, device);
        return first.Expand([.. config.Layout.Heads.Skip(1)], config.KvSharing, seed: 1);
    }
}
