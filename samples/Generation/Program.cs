// Continues a prompt, and shows the text as it comes: [MODEL_FOLDER [PROMPT]]
using Microsoft.ML.CoLM;
using Samples;

using var elastic = TinyModel.LoadOrTrain(args);
var generator = new TextGenerator(elastic.Model);
var prompt = args.Length > 1 ? args[1] : "the cat";
var options = new GenerationOptions { MaxNewTokens = 60, Temperature = 0.8, TopP = 0.95, Seed = 1 };

Console.Write(prompt);
await foreach (var text in generator.GenerateStreamingAsync(prompt, options))
    Console.Write(text);
Console.WriteLine();

// One process reads the prompt; with KV sharing it needs the first chain alone. Another one goes on from its cache.
using var handed = new MemoryStream();
using (var prefilled = generator.Prefill(prompt))
{
    prefilled.Save(handed, elastic.Model);
    Console.WriteLine($"{prefilled.Length()} tokens of the prompt are a cache of {handed.Length:N0} bytes.");
}
handed.Position = 0;
using var cache = KvCache.Load(handed, elastic.Model, capacity: Math.Min(256, elastic.Model.Config.ContextLength));
options.Temperature = 0;
Console.WriteLine(prompt + generator.Continue(cache, options).Text);
