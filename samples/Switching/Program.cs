// Writes with one chain where it is sure and with all where it is not: [MODEL_FOLDER [PROMPT]]
using Microsoft.ML.CoLM;
using Samples;

using var elastic = TinyModel.LoadOrTrain(args);
var chains = elastic.Model.Config.Layout.ChainCount;
var generator = new TextGenerator(elastic.Model);
var prompt = args.Length > 1 ? args[1] : "the cat";

// The margin is how much more probable the last token was than the next best.
var result = generator.GenerateResult(prompt, new GenerationOptions
{
    MaxNewTokens = 60,
    ChainSchedule = step => step.Margin is > 0.5 ? 1 : chains,
});
Console.WriteLine(prompt + result.Text);
Console.WriteLine($"Chains of each token: {string.Concat(result.Statistics.ChainCounts)}");
Console.WriteLine($"Keys and values computed, by chain: {string.Join(", ", result.Statistics.KeyValuesComputed)} " +
    $"(prompt and text have {result.PromptTokenCount + result.TokenIds.Count} tokens)");
