using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass]
public sealed class AddedTokenFinderTests
{
    [TestMethod]
    public void TheLeftmostAndLongestIsFoundWhereverPiecesOfTheSearchEnd()
    {
        string[] contents = ["<a>", "<a>b", "<a>bbbbbb", "bb<", "a>"];
        var finder = new AddedTokenFinder([.. contents.Select((content, id) => new AddedToken(id, content, false))]);
        foreach (var content in contents)
        {
            for (var place = 4080; place < 4110; place++)
            {
                var text = new string('.', place) + content + "..<a>..";
                Assert.IsTrue(finder.TryFind(text, out var index, out var token));
                Assert.AreEqual((place, content), (index, token.Content));
            }
        }
        Assert.IsFalse(finder.TryFind(new string('<', 10_000), out _, out _));
        Assert.IsFalse(new AddedTokenFinder([]).TryFind("text", out _, out _));
    }

    [TestMethod]
    public void ASearchThatFindsNothingCanBeCancelled()
    {
        var finder = new AddedTokenFinder([new(0, new string('a', 1000) + "b", false)]);
        var questions = 0;
        Assert.ThrowsExactly<OperationCanceledException>(() => finder.TryFind(new string('a', 1_000_000), out _, out _, () =>
        {
            if (++questions == 3)
                throw new OperationCanceledException();
        }));
    }

    [TestMethod]
    [Timeout(20_000)]
    public void ManyTokensThatBeginAlikeAreFoundInATextOfThem()
    {
        AddedToken[] tokens = [.. Enumerable.Range(0, 100_000).Select(id => new AddedToken(id, $"<{id:D6}>", false))];
        var finder = new AddedTokenFinder(tokens);
        var text = string.Concat(tokens.TakeLast(20_000).Select(token => token.Content)).AsSpan();
        for (var id = 80_000; id < 100_000; id++)
        {
            Assert.IsTrue(finder.TryFind(text, out var index, out var token));
            Assert.AreEqual((0, id), (index, token.Id));
            text = text[token.Content.Length..];
        }
    }
}
