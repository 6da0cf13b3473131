using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Tiny models that read text, a token for each byte, and texts for them.</summary>
internal static class TextModels
{
    public const int ContextLength = 64;

    /// <summary>Texts of many lengths: none, shorter than the context, and longer.</summary>
    public static readonly string?[] Texts =
    [
        null, "", "a", "The cat sat on the mat.", "Häuser, 猫 und 🐈.", "  ", "a b", Sentence(63), Sentence(64),
        Sentence(65), "\n", Sentence(200), "the end", Sentence(40), "x", Sentence(129),
    ];

    /// <summary>The smallest architecture that learns something.</summary>
    public static CoLMConfig Config(params int[] chains) => TestModels.Config(chains) with
    {
        VocabularySize = ByteTokenizer.VocabularySize,
        BosTokenId = ByteTokenizer.BeginningOfTextId,
        EosTokenIds = [ByteTokenizer.EndOfTextId],
        ContextLength = ContextLength,
    };

    /// <summary>A model whose parameters are all random, with the byte tokenizer.</summary>
    public static CoLMModel Random(params int[] chains) => Random(Config(chains));

    public static CoLMModel Random(CoLMConfig config, int seed = 1, ScalarType dtype = ScalarType.Float32)
    {
        var model = TestModels.Random(config, seed, dtype);
        model.TokenizerFiles = ByteTokenizer.CreateFiles();
        return model;
    }

    /// <summary>Text of that many bytes.</summary>
    public static string Sentence(int length)
    {
        const string Words = "the quick brown fox jumps over the lazy dog and the cat sat on a mat while it rained, ";
        return string.Concat(Enumerable.Repeat(Words, length / Words.Length + 1))[..length];
    }
}
