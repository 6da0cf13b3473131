// The first chain drafts, all chains verify; the text is the same: [MODEL_FOLDER [PROMPT]]
using System.Diagnostics;
using Microsoft.ML.CoLM;
using Samples;

using var elastic = TinyModel.LoadOrTrain(args);
var generator = new TextGenerator(elastic.Model);
var prompt = args.Length > 1 ? args[1] : "the cat";
foreach (var speculates in new[] { false, true })
{
    var options = new GenerationOptions { MaxNewTokens = 200, SpeculativeDecoding = speculates };
    generator.Generate(prompt, options); // warm-up
    var clock = Stopwatch.StartNew();
    var result = generator.GenerateResult(prompt, options);
    Console.WriteLine($"{(speculates ? "speculative" : "plain")}: {clock.Elapsed.TotalMilliseconds:F1} ms, " +
        $"{result.Statistics.PassesPerToken:F2} passes of all chains a token, " +
        $"acceptance {result.Statistics.AcceptanceRate:P0}");
    Console.WriteLine(prompt + result.Text);
}
