using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

/// <summary>
/// Folders of many kinds, with what Hugging Face's tokenizers made of texts: <c>References/make-references.py</c> says
/// how these files came about.
/// </summary>
[TestClass]
public sealed class ReferenceTokenizerTests
{
    private static readonly JsonNode References = JsonNode.Parse(Resource("references.json"))!;

    private static readonly JsonNode Vocabularies = JsonNode.Parse(Resource("vocabularies.json"))!;

    public static IEnumerable<object[]> Cases =>
        References["cases"]!.AsArray().Select((reference, index) => new object[] { index, (string)reference!["name"]! });

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void EveryTextHasTheIdsOfTransformersAndDecodesAsThere(int index, string name)
    {
        JsonNode reference = References["cases"]![index]!;
        using var folder = new TemporaryFolder();
        foreach (var (file, content) in reference["files"]!.AsObject())
            File.WriteAllBytes(folder[file], BytesOf(file, content!));
        Tokenizer tokenizer = CoLMTokenizer.Load(folder.Path);

        JsonArray texts = References["texts"]!.AsArray();
        for (var i = 0; i < texts.Count; i++)
        {
            string text = (string)texts[i]!;
            string decoded = (string?)reference["decoded"]![$"{i}"] ?? text;
            int[] ids = [.. reference["ids"]![i]!.AsArray().Select(id => (int)id!)];
            CollectionAssert.AreEqual(ids, tokenizer.EncodeToIds(text).ToArray(), $"{name}: '{text}'");
            Assert.AreEqual(decoded, tokenizer.Decode(ids), $"{name}: '{text}'");
        }
    }

    /// <summary>A file of a reference's folder; a tokenizer.json gets the vocabulary that it names.</summary>
    internal static byte[] BytesOf(string file, JsonNode content)
    {
        if (file == "tokenizer.model")
            return Resource("pieces.model");
        JsonNode whole = content.DeepClone();
        if (file == "tokenizer.json")
        {
            JsonNode model = whole["model"]!;
            JsonNode vocabulary = Vocabularies[(string)model["vocab"]!]!;
            model["vocab"] = new JsonObject(vocabulary["tokens"]!.AsArray().Select(
                (token, id) => KeyValuePair.Create((string)token!, (JsonNode?)id)));
            model["merges"] = vocabulary["merges"]!.DeepClone();
        }
        return Encoding.UTF8.GetBytes(whole.ToJsonString());
    }

    /// <summary>A file that the assembly has inside.</summary>
    internal static byte[] Resource(string name)
    {
        using Stream stream = typeof(ReferenceTokenizerTests).Assembly.GetManifestResourceStream(name)!;
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }
}
