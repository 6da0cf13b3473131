using Microsoft.ML.CoLM.Generation;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class TokenSamplerTests
{
    private const double Tolerance = 2e-5;

    [TestMethod]
    [DataRow(10)]
    [DataRow(64)]
    [DataRow(1000)]
    [DataRow(5003)]
    public void DistributionsAreThoseOfTheProcessorsOneAfterAnother(int vocabularySize)
    {
        var random = new Random(vocabularySize);
        var distribution = new TokenDistribution();
        for (var round = 0; round < 60; round++)
        {
            var options = new GenerationOptions
            {
                Temperature = 0.2 + 2 * random.NextDouble(),
                TopK = random.Next(2) == 0 ? null : random.Next(1, vocabularySize + 5),
                TopP = random.Next(2) == 0 ? 1 : 0.01 + 0.98 * random.NextDouble(),
                MinP = random.Next(2) == 0 ? 0 : 0.5 * random.NextDouble(),
                RepetitionPenalty = random.Next(2) == 0 ? 1 : 0.5 + random.NextDouble(),
            };
            var logits = Logits(random, vocabularySize, spread: 1 + 5 * random.NextDouble());
            int[] history = [.. Enumerable.Range(0, 20).Select(_ => random.Next(vocabularySize))];
            new TokenSampler(options, vocabularySize).Fill(distribution, logits, History(history));

            var expected = Reference(logits, history, options);
            for (var id = 0; id < vocabularySize; id++)
                Assert.AreEqual(expected[id], distribution.Probability(id), Tolerance, $"round {round}, token {id}");
            Assert.AreEqual(expected.Max(), distribution.TopProbability, Tolerance);
            var (entropy, margin) = distribution.Confidence();
            Assert.AreEqual(-expected.Sum(p => p > 0 ? p * Math.Log(p) : 0), entropy, 1e-3);
            double[] ordered = [.. expected.OrderDescending()];
            Assert.AreEqual(ordered[0] - ordered[1], margin, Tolerance);
        }
    }

    [TestMethod]
    public void ExactlyTopKTokensAreKeptWhereScoresAreEqual()
    {
        var distribution = new TokenDistribution();
        var sampler = new TokenSampler(new() { Temperature = 1, TopK = 3 }, 1000);
        sampler.Fill(distribution, new float[1000], history: null);
        CollectionAssert.AreEquivalent((int[])[0, 1, 2], distribution.Ids.ToArray());
    }

    [TestMethod]
    public void ImpossibleTokensAreNeverDrawn()
    {
        var logits = Enumerable.Repeat(float.NegativeInfinity, 100).ToArray();
        (logits[7], logits[40]) = (1, 2);
        foreach (var options in (GenerationOptions[])[new() { Temperature = 1 }, new() { Temperature = 1, TopK = 50 },
            new() { Temperature = 1, TopP = 0.99 }, new() { Temperature = 1, RepetitionPenalty = 1.5 }])
        {
            var sampler = new TokenSampler(options, 100);
            var random = new Random(1);
            for (var i = 0; i < 200; i++)
                Assert.IsTrue(sampler.Sample(logits, History([3, 40]), random) is 7 or 40);
        }
    }

    [TestMethod]
    public void GreedyTakesTheLowestOfEqualTokens()
    {
        var sampler = new TokenSampler(new(), 200);
        var logits = new float[200];
        (logits[150], logits[70], logits[71]) = (3, 3, 3);
        Assert.AreEqual(70, sampler.Sample(logits, null, new Random()));
        Assert.AreEqual(0, sampler.Sample(new float[200], null, new Random()));
    }

    [TestMethod]
    public void APenaltyMakesGreedyTakeAnother()
    {
        var sampler = new TokenSampler(new() { RepetitionPenalty = 2 }, 4);
        Assert.AreEqual(2, sampler.Sample([-1, 3, 2, 1], History([1]), new Random()));
        Assert.AreEqual(1, sampler.Sample([-1, 3, 2, 1], History([0]), new Random()));
        Assert.AreEqual(1, sampler.Sample([-1, -1.5f, -5, -5], History([0]), new Random()));
    }

    [TestMethod]
    [DataRow(12)]
    [DataRow(300)]
    public void DrawsFollowTheDistribution(int vocabularySize)
    {
        const int Draws = 20_000;
        var logits = Logits(new Random(5), vocabularySize, spread: 1);
        var options = new GenerationOptions { Temperature = 0.8, TopP = 0.9 };
        var sampler = new TokenSampler(options, vocabularySize);
        var random = new Random(6);
        var counts = new int[vocabularySize];
        for (var i = 0; i < Draws; i++)
            counts[sampler.Sample(logits, null, random)]++;
        ChiSquare.Check(Reference(logits, [], options), counts);
    }

    [TestMethod]
    public void LogitsThatAreNoNumbersAreRefused()
    {
        foreach (var temperature in (double[])[0, 1])
        {
            var sampler = new TokenSampler(new() { Temperature = temperature }, 3);
            Assert.ThrowsExactly<InvalidOperationException>(
                () => sampler.Sample([1, float.NaN, 2], null, new Random(1)));
            Assert.ThrowsExactly<InvalidOperationException>(
                () => sampler.Sample([1, float.PositiveInfinity, 2], null, new Random(1)));
        }
    }

    [TestMethod]
    public void ATokenAllocatesNothing()
    {
        var logits = Logits(new Random(1), 5000, spread: 3);
        var history = History([.. Enumerable.Range(0, 100)]);
        foreach (var options in (GenerationOptions[])[new(), new() { RepetitionPenalty = 1.1 },
            new() { Temperature = 1 }, new() { Temperature = 1, TopK = 40, TopP = 0.9, MinP = 0.05 }])
        {
            var sampler = new TokenSampler(options, logits.Length);
            var random = new Random(1);
            sampler.Sample(logits, history, random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 20; i++)
                sampler.Sample(logits, history, random);
            Assert.AreEqual(before, GC.GetAllocatedBytesForCurrentThread());
        }
    }

    [TestMethod]
    public void TokensThatWereTakenBackAreNotInTheHistory()
    {
        var random = new Random(1);
        var history = new TokenHistory();
        var tokens = new Stack<int>();
        for (var i = 0; i < 2000; i++)
        {
            if (tokens.Count > 0 && random.Next(5) < 2)
            {
                history.Remove(tokens.Pop());
            }
            else
            {
                tokens.Push(random.Next(30));
                history.Add(tokens.Peek());
            }
            CollectionAssert.AreEquivalent(tokens.Distinct().ToArray(), history.Distinct.ToArray());
        }
    }

    private static TokenHistory History(int[] tokens)
    {
        var history = new TokenHistory();
        foreach (var token in tokens)
            history.Add(token);
        return history;
    }

    private static float[] Logits(Random random, int count, double spread) => [.. Enumerable.Range(0, count)
        .Select(_ => (float)(spread * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) *
            Math.Cos(2 * Math.PI * random.NextDouble())))];

    /// <summary>Hugging Face's processors in their order, each as its definition says.</summary>
    private static double[] Reference(float[] logits, int[] history, GenerationOptions options)
    {
        double[] scores = [.. logits.Select(logit => (double)logit)];
        foreach (var id in history.Distinct())
        {
            scores[id] = scores[id] < 0
                ? scores[id] * options.RepetitionPenalty
                : scores[id] / options.RepetitionPenalty;
        }
        scores = [.. scores.Select(score => score / options.Temperature)];
        int[] order = [.. Enumerable.Range(0, scores.Length).OrderByDescending(id => scores[id])];
        foreach (var id in order.Skip(options.TopK ?? scores.Length))
            scores[id] = double.NegativeInfinity;

        var probabilities = Softmax(scores);
        double before = 0;
        foreach (var id in order)
        {
            if (before >= options.TopP)
                scores[id] = double.NegativeInfinity;
            before += probabilities[id];
        }
        probabilities = Softmax(scores);
        var largest = probabilities.Max();
        for (var id = 0; id < scores.Length; id++)
        {
            if (probabilities[id] < options.MinP * largest)
                scores[id] = double.NegativeInfinity;
        }
        return Softmax(scores);
    }

    private static double[] Softmax(double[] scores)
    {
        var largest = scores.Max();
        var sum = scores.Sum(score => Math.Exp(score - largest));
        return [.. scores.Select(score => Math.Exp(score - largest) / sum)];
    }
}
