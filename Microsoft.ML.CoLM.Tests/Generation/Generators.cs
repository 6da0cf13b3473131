using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Inference;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>
/// Text generators of tiny models that read a token for each byte, on sessions that tests can look into.
/// </summary>
internal static class Generators
{
    /// <summary>Texts of some lengths; in this context there is room behind each.</summary>
    public static readonly string[] Prompts = ["The cat", "", "a", "Häuser, 猫 und 🐈.", TextModels.Sentence(40)];

    /// <summary>A generator with the model's own tokenizer.</summary>
    public static TextGenerator Create(CoLMModel model, List<ForwardSession>? sessions = null, int slotCount = 16)
    {
        var known = new ConcurrentDictionary<string, float[]>();
        return new(model, model.TokenizerFiles!.CreateTokenizer(), (model, sequenceCount, capacity, mayGrow) =>
        {
            var session = new ForwardSession(model, sequenceCount, capacity, mayGrow, slotCount, known);
            sessions?.Add(session);
            return session;
        });
    }

    /// <summary>A random model that never ends a text by itself.</summary>
    public static CoLMModel EndlessModel(bool kvSharing, params int[] chains) => TextModels.Random(
        TextModels.Config(chains) with { KvSharing = kvSharing, EosTokenIds = [] });

    /// <summary>
    /// A random model whose first chain is sure of what it drafts, and right as long as the others let it be.
    /// </summary>
    /// <param name="kvSharing">Whether the chains share keys and values.</param>
    /// <param name="laterHeads">What the heads of later chains are multiplied by.</param>
    /// <param name="seed">Seed of the weights.</param>
    /// <param name="layout">The layout.</param>
    /// <param name="firstHead">What the head of the first chain is multiplied by.</param>
    public static CoLMModel DraftingModel(
        bool kvSharing, double laterHeads, int seed, int[] layout, double firstHead = 10)
    {
        var model = TextModels.Random(TextModels.Config(layout) with { KvSharing = kvSharing, EosTokenIds = [] }, seed);
        using var noGradients = no_grad();
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.StartsWith("lm_head.", StringComparison.Ordinal))
                parameter.mul_(name == "lm_head.chain_1" ? firstHead : laterHeads);
        }
        return model;
    }

    public static void AreSame(GenerationResult expected, GenerationResult actual, string what = "")
    {
        CollectionAssert.AreEqual(expected.TokenIds.ToArray(), actual.TokenIds.ToArray(), what);
        Assert.AreEqual(expected.Text, actual.Text, what);
        Assert.AreEqual(expected.FinishReason, actual.FinishReason, what);
        Assert.AreEqual(expected.PromptTokenCount, actual.PromptTokenCount, what);
    }
}
