using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>A token behind a prompt at every chain count, against a plain read of the weights that it needs.</summary>
internal sealed class DecodeCommand : Benchmark
{
    private const int MostSequences = 16;

    private readonly ModelOptions _model = new();
    private readonly Option<int> _prompt = CommonOptions.Count("--prompt", "tokens before those that are timed", byDefault: 128);
    private readonly Option<int> _tokens = CommonOptions.Count("--tokens", "tokens of a turn", byDefault: 16);
    private readonly Option<int> _sequences = CommonOptions.Count("--sequences", "sequences that get a token in every pass", byDefault: 1);
    private readonly Option<string[]> _session = CommonOptions.Session();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 30);

    public DecodeCommand() : base(
        "decode", "A token behind a prompt at every chain count, against a plain read of the weights that it needs.")
    {
        Offer([.. _model.All, _prompt, _tokens, _sequences, _session, _device, _rounds]);
        Validators.Add(_model.Validate);
        Validators.Add(result =>
        {
            if (result.GetValue(_sequences) > MostSequences)
                result.AddError($"--sequences must be at most {MostSequences}, the rows of a session's pass.");
        });
    }

    protected override Report Measure(ParseResult result)
    {
        var device = CommonOptions.ToDevice(result.GetRequiredValue(_device));
        using var model = _model.Create(result, device);
        var (prompt, tokens, chains) = (result.GetValue(_prompt), result.GetValue(_tokens), model.Config.Layout.ChainCount);
        var sequences = result.GetValue(_sequences);
        string[] names = [.. result.GetRequiredValue(_session).Distinct()];
        var sessions = Array.ConvertAll(names, name => DecodingSession.Create(
            model, new KvCache(model, prompt + tokens, sequences, isBlocked: name == CommonOptions.OwnSession), ownsCache: true,
            mayGrow: false));
        foreach (var session in sessions)
        {
            for (var sequence = 0; sequence < sequences; sequence++)
                session.Prefill(sequence, [.. Enumerable.Range(0, prompt).Select(i => i % model.Config.VocabularySize)], chains);
        }

        var race = new Race(device);
        for (var chainCount = 1; chainCount <= chains; chainCount++)
        {
            var range = new ChainRange(0, chainCount);
            foreach (var (name, session) in names.Zip(sessions))
                race.Enter(CommonOptions.ToLabel(name, $"{chainCount} chains"), () => Decode(session, prompt, tokens, sequences, range));
            EnterRead(race, model, chainCount, tokens);
        }
        var times = race.Run(result.GetValue(_rounds)).ToDictionary(
            entry => entry.Key, entry => entry.Value.Select(time => time / tokens));

        var settings = _model.Describe(result, model);
        settings.Add("prompt", prompt);
        settings.Add("sequences", sequences);
        settings.Add("rounds", result.GetValue(_rounds));
        var report = new Report($"A token behind {prompt}, {{{model.Config.Layout}}}", settings);
        for (var chainCount = 1; chainCount <= chains; chainCount++)
        {
            foreach (var name in names)
            {
                var label = CommonOptions.ToLabel(name, $"{chainCount} chains");
                var token = times[label];
                report.Add(label, token, basis: times[CommonOptions.ToLabel(names[0], $"{chains} chains")]);
                report.Add($"{label}, speed", token.Select(time => sequences * 1000 / time), "tokens/s");
            }
            var read = $"{chainCount} chains, plain read";
            report.Add(read, times[read], basis: times[CommonOptions.ToLabel(names[0], $"{chainCount} chains")]);
        }
        Array.ForEach(sessions, session => session.Dispose());
        return report;
    }

    private static void Decode(IDecodingSession session, int prompt, int tokens, int sequences, ChainRange chains)
    {
        for (var sequence = 0; sequence < sequences; sequence++)
            session.Trim(sequence, prompt);
        var rows = new DecodingRow[sequences];
        for (var i = 0; i < tokens; i++)
        {
            for (var sequence = 0; sequence < sequences; sequence++)
                rows[sequence] = new(sequence, prompt + i, i);
            session.Run(rows, 0, chains);
            for (var sequence = 0; sequence < sequences; sequence++)
                _ = session.Logits(sequence);
        }
    }

    // The embedding is not read but for one row, unless it is the head, too.
    private static void EnterRead(Race race, CoLMModel model, int chainCount, int tokens)
    {
        var config = model.Config;
        Tensor[] weights = [.. model.named_parameters()
            .Where(entry => Microsoft.ML.CoLM.Modules.ParameterName.Parse(entry.name) is var (module, chain) &&
                chain < chainCount && (module != "embed_tokens" || (chain == 0 && config.TieWordEmbeddings)))
            .Select(entry => entry.parameter)];
        if (model.Device.type == DeviceType.CPU)
        {
            var read = new PlainRead(weights);
            race.Enter($"{chainCount} chains, plain read", () =>
            {
                for (var i = 0; i < tokens; i++)
                    read.Run();
            });
            return;
        }
        race.Enter($"{chainCount} chains, plain read", () =>
        {
            using var noGradients = no_grad();
            using var scope = NewDisposeScope();
            for (var i = 0; i < tokens; i++)
            {
                foreach (var weight in weights)
                    weight.detach().sum();
            }
        });
    }
}
