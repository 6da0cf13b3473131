namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>A sweep's result as a table to read.</summary>
[TestClass]
public sealed class ResultTableTests
{
    [TestMethod]
    public void ATableSaysWhatThereIsToKnow()
    {
        var result = Trials.Result(true,
            Trials.Completed(1, 0.75, 1.25, 1, Settings(0.002)),
            new ChainTrial
            {
                Id = 2,
                ChainCount = 3,
                Cascade = new() { ChainCounts = [1, 3], MaximumLosses = [0.50001] },
                Settings = Settings(0.002),
                Metric = 0.8125,
                MetricDeviation = 0.0123,
                MedianLatency = 10.5,
                Percentile95Latency = 12.25,
                RowsPerSecond = 95.2,
                Parameters = 1234567,
                PeakMemory = 3 << 19,
                TrainingSeconds = 12,
            },
            Trials.Failed(10, "The learning rate must be positive,\nfound 0, and this is a long story to tell here.", Settings(0)));
        string[] expected =
        [
            "MicroAccuracy, higher is better; ms a row, scored 32 at a time; * no trial is both better and as fast",
            "   Id  rate   Chains     MicroAccuracy  Median ms  p95 ms  Rows/s  Parameters   MiB  Training s  State",
            "-  --  -----  ---------  ---------------  ---------  ------  ------  ----------  ----  ----------  -----",
        ];
        var lines = result.ToString().Split('\n');
        Assert.AreEqual(expected[0], lines[0]);
        Assert.AreEqual(
            "*   1  0.002  1                   0.7500       1.25    2.50   800.0       1,000  1.00        1.50  Completed", lines[3]);
        Assert.AreEqual(
            "*   2  0.002  1 (0.5) 3  0.8125 ± 0.0123      10.50   12.25    95.2   1,234,567  1.50       12.00  Completed", lines[4]);
        Assert.EndsWith("Failed: The learning rate must be positive, found 0, and ...", lines[5]);
    }

    [TestMethod]
    public void ATableWithoutLatencySaysNothingOfIt()
    {
        var lines = Trials.Result(true, Trials.Completed(1, 0.75, latency: null)).ToString().Split('\n');
        Assert.AreEqual("MicroAccuracy, higher is better; * no trial is both better and as small in parameters", lines[0]);
        Assert.AreEqual("   Id  Chains  MicroAccuracy  Parameters   MiB  Training s  State", lines[1]);
    }

    [TestMethod]
    public void ColumnsAreAlignedWhateverIsInThem()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            ChainTrial[] trials = [.. Enumerable.Range(1, 12).Select(id => random.Next(4) == 0
                ? Trials.Failed(id, new string('x', random.Next(100)))
                : Trials.Completed(id, Math.Pow(10, random.Next(-9, 12)), Math.Pow(10, random.Next(-4, 5)), random.Next(1, 9),
                    new SweepSettings().Set("a very long name of a setting, longer than it may be", random.Next(1000))
                        .Set("text", new string('y', random.Next(40)) + "\r\n\t")))];
            var lines = Trials.Result(false, trials).ToString().TrimEnd('\n').Split('\n')[1..];
            Assert.HasCount(trials.Length + 2, lines);
            // Between two columns, all lines have a gap where the rule has one.
            int[] gaps = [.. Enumerable.Range(0, lines[1].Length).Where(i => lines[1][i] == ' ')];
            Assert.IsNotEmpty(gaps);
            foreach (var line in lines)
                Assert.IsTrue(Array.TrueForAll(gaps, gap => gap >= line.Length || line[gap] == ' '), $"seed {seed}: {line}");
            Assert.IsLessThanOrEqualTo(250, lines.Max(line => line.Length));
        }
    }

    [TestMethod]
    [DataRow("de-DE")]
    [DataRow("ar-SA")]
    public void ATableIsTheSameInEveryCulture(string culture)
    {
        var result = Trials.Result(false, Trials.Completed(1, -1.5, 1234.5), Trials.Completed(2, double.NaN, 0.001));
        Assert.AreEqual(Trials.In("", result.ToString), Trials.In(culture, result.ToString));
    }

    private static SweepSettings Settings(double rate) => new SweepSettings().Set("rate", rate);
}
