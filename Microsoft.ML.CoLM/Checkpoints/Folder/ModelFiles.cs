using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Names of the files of a model's folder.</summary>
internal static partial class ModelFiles
{
    public const string Config = "config.json";
    public const string FirstChain = "model.safetensors";
    public const string ShardIndex = "model.safetensors.index.json";

    /// <summary>The task that the model was tuned for, with its head.</summary>
    public const string TaskHead = "task-head.safetensors";

    /// <summary>
    /// Where a chain is written, in a folder. Tools that know only LLaMA find no first chain where it is quantised, rather than one
    /// that they misread.
    /// </summary>
    public static string OfChain(int chain, bool isQuantised) => chain == 0 && !isQuantised
        ? FirstChain
        : string.Create(CultureInfo.InvariantCulture, $"chain-{chain + 1}.safetensors");

    /// <summary>Whether the name is one that this library or Hugging Face's gives to weights.</summary>
    public static bool IsWeights(string name) => WeightsPattern().IsMatch(name);

    /// <summary>Whether the name is one that a model's tokenizer is found under.</summary>
    public static bool IsTokenizer(string name) => TokenizerFiles.Names.Contains(name);

    /// <summary>Whether the name is that of a file that belongs to a model and is replaced with it, weights and configuration aside.</summary>
    public static bool IsSideFile(string name) => IsTokenizer(name) || KeptFiles.IsOne(name);

    /// <summary>Whether the name, which may come from anywhere, is one of a model's files.</summary>
    public static bool IsAny(string? name) =>
        name is not null && (name == Config || IsWeights(name) || IsSideFile(name));

    [GeneratedRegex(@"^(model\.safetensors(\.index\.json)?|model-[0-9]{5}-of-[0-9]{5}\.safetensors|chain-[0-9]+\.safetensors|task-head\.safetensors)\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex WeightsPattern();
}
