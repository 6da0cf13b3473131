using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>How a prompt and its response become one sequence.</summary>
[TestClass, DoNotParallelize]
public sealed class CompletionTemplateTests
{
    private static readonly CoLMConfig Config = TextModels.Config(4);

    [TestMethod]
    [DataRow("{0}{1}", "P", "R", "P", "R")]
    [DataRow("Q: {0}\nA: {1}\n", "why?", "so", "Q: why?\nA: ", "so\n")]
    [DataRow("{{{0}}} -> {1}", "x", "y", "{x} -> ", "y")]
    [DataRow("{0}{1}", "{1}", "{0}", "{1}", "{0}")]
    [DataRow("{0} {1}", "", "r", " ", "r")]
    public void WhatStandsBeforeTheResponseIsGiven(
        string template, string prompt, string response, string given, string learnt)
    {
        var made = new CompletionTemplate(template);
        Assert.AreEqual(given, made.Prompt(prompt));
        var tokens = Encode(made, prompt, response);
        Assert.AreEqual(1 + given.Length, tokens.ResponseStart);
        CollectionAssert.AreEqual(
            (int[])[256, .. given.Select(c => (int)c), .. learnt.Select(c => (int)c), 257], tokens.Ids);
        Assert.AreEqual(learnt.Length + 1, tokens.ResponseLength);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("{0}")]
    [DataRow("{1}")]
    [DataRow("{1}{0}")]
    [DataRow("{0}{0}{1}")]
    [DataRow("{0}{1}{1}")]
    [DataRow("{0}{1}{0}")]
    [DataRow("{0}{1}{2}")]
    [DataRow("{0}{1")]
    [DataRow("}{0}{1}")]
    [DataRow("{prompt}{response}")]
    public void ATemplateWithoutBothInTheirOrderIsRefusedByItsText(string template)
    {
        var error = Assert.Throws<ArgumentException>(() => new CompletionTemplate(template));
        Assert.Contains("Template", error.Message);
        Assert.Contains($"\"{template}\"", error.Message);
    }

    [TestMethod]
    public void AnEndOfTextIsNotDoubledNorMadeUp()
    {
        var written = Encode(new CompletionTemplate("{0}{1}<|end_of_text|>"), "a", "b");
        CollectionAssert.AreEqual((int[])[256, 'a', 'b', 257], written.Ids);
        var none = new CompletionTemplate("{0}{1}").Encode(ByteTokenizer.CreateFiles().CreateTokenizer(),
            Config with { EosTokenIds = [] }, "a", "b", "Prompt");
        CollectionAssert.AreEqual((int[])[256, 'a', 'b'], none.Ids);
    }

    [TestMethod]
    public void AModelWithoutABeginningOfTextHasNone()
    {
        var tokens = new CompletionTemplate("{0}{1}").Encode(ByteTokenizer.CreateFiles().CreateTokenizer(),
            Config with { BosTokenId = null, EosTokenIds = [] }, "", "bc", "Prompt");
        Assert.AreEqual(tokens.Ids.Length - Math.Max(1, tokens.ResponseStart), tokens.ResponseLength);
        CollectionAssert.AreEqual((int[])['b', 'c'], tokens.Ids[^2..]);
    }

    [TestMethod]
    [DataRow(20, new[] { 256, 1, 2, 3, 7, 8, 9 }, 4)]
    [DataRow(7, new[] { 256, 1, 2, 3, 7, 8, 9 }, 4)]
    [DataRow(6, new[] { 256, 2, 3, 7, 8, 9 }, 3)]
    [DataRow(4, new[] { 256, 7, 8, 9 }, 1)]
    [DataRow(3, new[] { 256, 7, 8 }, 1)]
    [DataRow(1, new[] { 256 }, 1)]
    public void APromptLosesItsBeginningFirstAndThenTheResponseItsEnd(int maxLength, int[] expected, int responseStart)
    {
        var truncated = new CompletionTokens([256, 1, 2, 3, 7, 8, 9], 4).Truncated(maxLength, bosTokenId: 256);
        CollectionAssert.AreEqual(expected, truncated.Ids);
        Assert.AreEqual(responseStart, truncated.ResponseStart);
    }

    [TestMethod]
    public void WithoutABeginningOfTextAllOfThePromptMayGo()
    {
        var truncated = new CompletionTokens([1, 2, 7, 8, 9], 2).Truncated(3, bosTokenId: null);
        CollectionAssert.AreEqual((int[])[7, 8, 9], truncated.Ids);
        Assert.AreEqual((0, 2), (truncated.ResponseStart, truncated.ResponseLength));
    }

    private static CompletionTokens Encode(CompletionTemplate template, string prompt, string response) =>
        template.Encode(ByteTokenizer.CreateFiles().CreateTokenizer(), Config, prompt, response, "Prompt");
}
