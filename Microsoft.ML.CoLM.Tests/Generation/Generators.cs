using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

/// <summary>Text generators of tiny models that read a token for each byte, on sessions that tests can look into.</summary>
internal static class Generators
{
    /// <summary>Texts of some lengths; in this context there is room behind each.</summary>
    public static readonly string[] Prompts = ["The cat", "", "a", "Häuser, 猫 und 🐈.", TextModels.Sentence(40)];

    /// <summary>A generator with the model's own tokenizer.</summary>
    public static TextGenerator Create(CoLMModel model, List<ForwardSession>? sessions = null, int slotCount = 16) =>
        new(model, model.TokenizerFiles!.CreateTokenizer(), (model, sequenceCount, capacity, mayGrow) =>
        {
            var session = new ForwardSession(model, sequenceCount, capacity, mayGrow, slotCount);
            sessions?.Add(session);
            return session;
        });

    /// <summary>A random model that never ends a text by itself.</summary>
    public static CoLMModel EndlessModel(bool kvSharing, params int[] chains) => TextModels.Random(
        TextModels.Config(chains) with { KvSharing = kvSharing, EosTokenIds = [] });

    public static void AreSame(GenerationResult expected, GenerationResult actual, string what = "")
    {
        CollectionAssert.AreEqual(expected.TokenIds.ToArray(), actual.TokenIds.ToArray(), what);
        Assert.AreEqual(expected.Text, actual.Text, what);
        Assert.AreEqual(expected.FinishReason, actual.FinishReason, what);
        Assert.AreEqual(expected.PromptTokenCount, actual.PromptTokenCount, what);
    }
}
