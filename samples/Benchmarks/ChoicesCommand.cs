using System.CommandLine;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Benchmarks;

/// <summary>Choices behind a context that is computed once for all of them, against each choice with a context of its own.</summary>
internal sealed class ChoicesCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _items = CommonOptions.Count("--items", "items to score", byDefault: 8);
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "tokens of a context", byDefault: 200);
    private readonly Option<int> _choices = CommonOptions.Count("--choices", "choices of an item", byDefault: 4);
    private readonly Option<int> _length = CommonOptions.Count("--length", "tokens of a choice", byDefault: 20);
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public ChoicesCommand() : base(
        "choices", "Choices behind a context that is computed once for all, against each choice with its own.")
    {
        Offer([.. _model.All, _items, _tokens, _choices, _length, _device, _rounds]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = _model.Create(result, device);
        var (tokens, choices, length) = (result.GetValue(_tokens), result.GetValue(_choices), result.GetValue(_length));
        if (tokens + length > model.Config.ContextLength)
        {
            throw new ArgumentException($"--tokens and --length must be at most the model's context of " +
                $"{model.Config.ContextLength} together, found {tokens + length}.");
        }
        var random = new Random(1);
        CompletionTokens[][] items = [.. Enumerable.Range(0, result.GetValue(_items)).Select(_ => Item())];

        const string Apart = "each choice by itself";
        var chainCount = model.Config.Layout.ChainCount;
        var race = new Race(device);
        race.Enter(Apart, () => ChoiceScorer.Score(model, items, chainCount, leastShare: 1));
        race.Enter("shared contexts", () => ChoiceScorer.Score(model, items, chainCount, leastShare: 0));
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, model);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report(
            $"{items.Length} items of {tokens} tokens with {choices} choices of {length} behind them", settings);
        foreach (var (name, samples) in times)
            report.Add(name, samples, basis: times[Apart]);
        return report;

        CompletionTokens[] Item()
        {
            var context = Tokens(tokens);
            return [.. Enumerable.Range(0, choices).Select(_ => new CompletionTokens([.. context, .. Tokens(length)], tokens))];
        }

        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Config.VocabularySize))];
    }
}
