using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>The families that were recorded; <c>make-families.py</c> says how.</summary>
internal static class FamilyList
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    private static readonly JsonNode Recorded = JsonNode.Parse(ReferenceTokenizerTests.Resource("families.json"))!;

    public static IReadOnlyList<string> Texts { get; } = Recorded["texts"].Deserialize<string[]>()!;

    public static IReadOnlyList<Family> Families { get; } = Recorded["families"].Deserialize<Family[]>(Options)!;

    /// <summary>The tokenizer's files of a family, in a folder.</summary>
    public static void WriteTokenizer(Family family, TemporaryFolder folder)
    {
        foreach (var (name, content) in family.Files)
            File.WriteAllBytes(folder[name], ReferenceTokenizerTests.BytesOf(name, content!));
    }
}
