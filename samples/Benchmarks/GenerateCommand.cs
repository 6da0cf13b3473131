using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Inference;

namespace Benchmarks;

/// <summary>
/// What a call costs beside its tokens, and what several callers of one generator get in all, against one alone.
/// </summary>
internal sealed class GenerateCommand : Benchmark
{
    // Behind the first, whose time is that of a call.
    private const int SteadyTokens = 32;

    private readonly ModelOptions _model = new();
    private readonly Option<int> _prompt = CommonOptions.Count("--prompt", "tokens of the prompt", byDefault: 20);
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "new tokens of each caller", byDefault: 32);
    private readonly Option<int[]> _callers = new("--callers")
    {
        Description = "how many generate at once",
        HelpName = "N",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [1, 4, 16],
    };
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 10);

    public GenerateCommand() : base(
        "generate", "A call for one token against reading its prompt and a further token, and several callers against one, on the CPU.")
    {
        Offer([.. _model.All, _prompt, _tokens, _callers, _rounds]);
        Validators.Add(_model.Validate);
        Validators.Add(result =>
        {
            if (result.GetValue(_callers)?.Any(callers => callers < 1) == true)
                result.AddError("--callers must be at least 1 each.");
        });
    }

    protected override Report Measure(ParseResult result)
    {
        using var model = _model.Create(result, TorchSharp.torch.CPU);
        var generator = new TextGenerator(model, model.TokenizerFiles!.CreateTokenizer());
        var (length, tokens) = (result.GetValue(_prompt), result.GetValue(_tokens));
        var prompt = new string('a', length);
        var callers = result.GetRequiredValue(_callers);

        using var session = DecodingSession.Create(model, 1, length);
        int[] ids = [.. Enumerable.Range(0, length - 1)];
        var race = new Race(TorchSharp.torch.CPU);
        race.Enter("prompt", () =>
        {
            session.Trim(0, 0);
            session.Prefill(0, ids, model.Config.ChainCount);
        });
        race.Enter("one", () => Generate(1));
        race.Enter("steady", () => Generate(1 + SteadyTokens));
        foreach (var count in callers)
            race.Enter($"{count}", () => Call(count, () => Generate(tokens)));
        var times = race.Run(result.GetValue(_rounds));

        var settings = _model.Describe(result, model);
        settings.Add("prompt", length);
        settings.Add("tokens", tokens);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report("Calls for text", settings);
        var steady = times["steady"].Minus(times["one"]).Select(time => time / SteadyTokens);
        report.Add("a further token", steady);
        report.Add("reading the prompt", times["prompt"], basis: steady);
        report.Add("a call for one token", times["one"], basis: steady);
        report.Add("a call for one token, above reading the prompt", times["one"].Minus(times["prompt"]), basis: steady);
        foreach (var count in callers)
            report.Add($"{count} callers, all tokens", Speed(count), "tokens/s", basis: Speed(callers[0]));
        return report;

        void Generate(int count) => generator.Generate(prompt, new() { MaxNewTokens = count });

        Samples Speed(int count) => times[$"{count}"].Select(time => 1000.0 * count * tokens / time);
    }

    private static void Call(int callers, Action call)
    {
        if (callers == 1)
        {
            call();
            return;
        }
        Thread[] threads = [.. Enumerable.Range(0, callers).Select(_ => new Thread(() => call()))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
    }
}
