using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>Writes <c>CHECKPOINTS.md</c> from what the library makes of families and refuses.</summary>
internal static class CheckpointsPage
{
    private const string Start =
        """
        # Which checkpoints load

        Folders in Hugging Face's layout of the architecture `llama`, with weights in safetensors, float32, bfloat16 or float16.
        `dotnet run --project samples/CheckFolder -- FOLDER` says it of a folder of yours.

        Some of these models are published with PyTorch's weights alone (`pytorch_model.bin`): load them with transformers and save
        them as safetensors first.

        A test writes this page (`FamiliesTests`): it reads each model's configuration and counts its parameters without its
        weights, and holds a small tokenizer of the family's shape (normalizer, cutting, special tokens, decoding) against ids
        recorded from transformers 5.12.1. The published vocabularies and weights themselves are not part of the test.

        | family | example | parameters | context | rotary embedding | tokenizer | a text begins with | ends generation | notes |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- |

        """;

    private const string Middle =
        """

        Settings that are odd but harmless load with a warning: ids outside the vocabulary, a tied configuration whose files hold
        another head (that head is used).

        ## What is refused, and why

        What would give other results than the model's makers meant is refused, and the message names the file and the setting.

        | what | for example | the message says |
        | --- | --- | --- |

        """;

    public static string Write(IEnumerable<Family> families, IEnumerable<Refusal> refusals)
    {
        var page = new StringBuilder(Start.ReplaceLineEndings("\n"));
        foreach (var family in families)
        {
            using var folder = new TemporaryFolder();
            FamilyList.WriteTokenizer(family, folder);
            var tokenizer = (ModelTokenizer)TokenizerFiles.Read(folder.Path).CreateTokenizer();
            foreach (var model in family.Models)
                page.Append(Row(Cells(family, model, tokenizer)));
        }
        page.Append(Middle.ReplaceLineEndings("\n"));
        foreach (var refusal in refusals)
            page.Append(Row([refusal.What, refusal.Examples, Code(refusal.Gist)]));
        return page.ToString();
    }

    private static string[] Cells(Family family, FamilyModel model, ModelTokenizer tokenizer)
    {
        var config = ConfigJson.Read(model.Config.ToJsonString(), model.Name);
        var beginning = tokenizer.EncodeToTokens("", out _);
        return
        [
            family.Name, model.Name, Text($"{ParametersOf(config):N0}"), Text($"{config.ContextLength:N0}"),
            Text($"theta {config.RopeTheta:N0}") + DescribeScaling(config.RopeScaling), DescribeTokenizer(family),
            beginning.Count == 0 ? "nothing" : Code(string.Concat(beginning.Select(token => token.Value))),
            string.Join(", ", config.EosTokenIds), family.Note,
        ];
    }

    /// <summary>Elements of a model's weights.</summary>
    public static long ParametersOf(CoLMConfig config) =>
        ChainTensors.Of(config, 0).Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size));

    private static string DescribeScaling(RopeScaling? scaling) => scaling switch
    {
        null => "",
        LinearRopeScaling => Text($", linear × {scaling.Factor}"),
        Llama3RopeScaling => Text($", llama3 × {scaling.Factor}"),
        _ => Text($", {scaling.GetType().Name}"),
    };

    private static string DescribeTokenizer(Family family)
    {
        if (family.Files[TokenizerFiles.JsonName] is not { } json)
            return Code(TokenizerFiles.SentencePieceName);
        return Code(TokenizerFiles.JsonName) + ((string)json["model"]!["vocab"]! == "bytes" ? ", bytes" : ", characters");
    }

    private static string Code(string text) => $"`{text}`";

    // A bar would end the cell, in code, too.
    private static string Row(IEnumerable<string> cells) =>
        $"| {string.Join(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n";

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
