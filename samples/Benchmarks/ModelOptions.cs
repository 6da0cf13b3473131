using System.CommandLine;
using System.CommandLine.Parsing;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Which model a command measures: one from a folder, or a random one of a named shape.</summary>
internal sealed class ModelOptions
{
    public Option<DirectoryInfo> Model { get; } = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA or CoLM folder; without it, the weights are random",
        HelpName = "FOLDER",
    }.AcceptExistingOnly();

    public Option<string> Shape { get; } = new Option<string>("--shape")
    {
        Description = "sizes of a random model: a LLaMA of 100M parameters, LLaMA-3.2-1B's, little but its vocabulary, or next to " +
            "nothing",
        DefaultValueFactory = _ => ModelShape.All[0].Name,
    }.AcceptOnlyFromAmong([.. ModelShape.All.Select(shape => shape.Name)]);

    public Option<ChainLayout> Layout { get; } = CommonOptions.Layout(
        "attention heads of a random model's chains; as many in all as the shape has make it as wide in all " +
        "[default: one chain]");

    public Option<int?> KeyValueHeads { get; } = new("--kv-heads")
    {
        Description = "key-value heads of a random model's first chain [default: as many of the shape's as fit]",
        HelpName = "N",
    };

    public Option<bool> KvSharing { get; } = new("--kv-sharing")
    {
        Description = "whether all chains share the first one's keys and values, true or false; a folder of several " +
            "chains has its own setting",
        HelpName = "true|false",
        DefaultValueFactory = _ => true,
    };

    public Option<string> DataType { get; } = CommonOptions.DataType();

    /// <summary>All of them, in the order in which help shows them.</summary>
    public Option[] All => [Model, Shape, Layout, KeyValueHeads, KvSharing, DataType];

    /// <summary>Refuses what is said of a random model where there is a folder.</summary>
    public void Validate(CommandResult result)
    {
        if (result.GetValue(Model) is null)
            return;
        foreach (var option in new Option[] { Shape, Layout, KeyValueHeads })
        {
            if (result.GetResult(option) is { Implicit: false })
                result.AddError($"{option.Name} is for random models; --model brings its own.");
        }
    }

    /// <summary>The architecture of the random model that is asked for.</summary>
    public CoLMConfig RandomConfig(ParseResult result) => NamedShape(result).Config(
        result.GetValue(Layout), result.GetValue(KeyValueHeads), result.GetValue(KvSharing));

    /// <summary>The shape of the random model; null where there is a folder.</summary>
    public ModelShape? FindShape(ParseResult result) => result.GetValue(Model) is null ? NamedShape(result) : null;

    /// <summary>Loads the model of the folder, or makes the random one.</summary>
    public CoLMModel Create(ParseResult result, Device device) => result.GetValue(Model) is { } folder
        ? CoLMModel.Load(folder.FullName, device: device, dtype: ScalarTypeOf(result))
        : CreateRandom(RandomConfig(result), result, device);

    /// <summary>A model with random weights and a token for each byte.</summary>
    public CoLMModel CreateRandom(CoLMConfig config, ParseResult result, Device device)
    {
        var model = CoLMModel.Create(config, seed: 1, device, ScalarTypeOf(result));
        model.TokenizerFiles = ByteTokenizer.CreateFiles();
        return model;
    }

    /// <summary>What a report says of the model.</summary>
    public Dictionary<string, object> Describe(ParseResult result, CoLMModel model) => new()
    {
        ["model"] = result.GetValue(Model)?.FullName ?? $"random {result.GetValue(Shape)}",
        ["layout"] = $"{model.Config.Layout}",
        ["kvSharing"] = model.Config.KvSharing,
        ["kvHeads"] = model.Config.KeyValueHeads(0),
        ["parameters"] = model.ParameterCount(model.Config.Layout.ChainCount),
        ["device"] = $"{model.Device}",
        ["dtype"] = result.GetRequiredValue(DataType),
    };

    private ModelShape NamedShape(ParseResult result) =>
        ModelShape.All.Single(shape => shape.Name == result.GetRequiredValue(Shape));

    private ScalarType ScalarTypeOf(ParseResult result) => CommonOptions.ToDataType(result.GetRequiredValue(DataType));
}
