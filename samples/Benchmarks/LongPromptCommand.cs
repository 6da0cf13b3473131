using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Peak memory and time of one long prompt, above the weights and beside the cache's own size.</summary>
internal sealed class LongPromptCommand : Benchmark
{
    private readonly ModelOptions _model = new();
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "tokens of the prompt", byDefault: 32768);

    public LongPromptCommand() : base(
        "long-prompt", "Peak memory of a long prompt, above the weights and beside the cache's own size (Linux).")
    {
        Offer([.. _model.All, _tokens]);
        Validators.Add(_model.Validate);
    }

    protected override Report Measure(ParseResult result)
    {
        using var model = _model.Create(result, CPU);
        var (length, chains) = (result.GetValue(_tokens), new ChainRange(0, model.Config.Layout.ChainCount));
        var random = new Random(1);
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.VocabularySize))];
        Read(model, tokens[..2], chains); // code and libtorch's own memory are there now

        var before = ResidentMemory.ResetPeak();
        var start = Stopwatch.GetTimestamp();
        Read(model, tokens, chains);
        var time = Stopwatch.GetElapsedTime(start);
        var above = ResidentMemory.Peak() - before;

        var settings = _model.Describe(result, model);
        settings.Add("tokens", length);
        var report = new Report($"A prompt of {length} tokens, {{{model.Config.Layout}}}", settings);
        var cache = new Samples([KvCache.SizeFor(model, length) / 1048576.0]);
        report.Add("cache", cache, "MiB");
        report.Add("peak above the weights", new Samples([above]), "MiB", basis: cache);
        report.Add("time", new Samples([time.TotalSeconds]), "s");
        return report;
    }

    private static void Read(CoLMModel model, int[] tokens, ChainRange chains)
    {
        var last = tokens.Length - 1;
        using var session = DecodingSession.Create(model, 1, tokens.Length);
        session.Prefill(0, tokens.AsSpan(0, last), chains.End);
        session.Run([new DecodingRow(0, last, tokens[last])], 0, chains);
        if (!float.IsFinite(session.Logits(0)[0]))
            throw new InvalidOperationException("The logits are not numbers.");
    }
}
