using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass]
public sealed class SweepSpaceTests
{
    private static readonly int[] Four = [4];
    private static readonly int[] TwoTwo = [2, 2];

    [TestMethod]
    public void AGridGoesThroughAllCombinationsTheLastNameFastest()
    {
        var space = new SweepSpace().Choice("share", true, false).Choice("chains", [Four, TwoTwo]).Range("rank", 1, 3, steps: 3);
        string[] expected =
        [
            "share = true, chains = [4], rank = 1", "share = true, chains = [4], rank = 2", "share = true, chains = [4], rank = 3",
            "share = true, chains = [2, 2], rank = 1", "share = true, chains = [2, 2], rank = 2", "share = true, chains = [2, 2], rank = 3",
            "share = false, chains = [4], rank = 1", "share = false, chains = [4], rank = 2", "share = false, chains = [4], rank = 3",
            "share = false, chains = [2, 2], rank = 1", "share = false, chains = [2, 2], rank = 2", "share = false, chains = [2, 2], rank = 3",
        ];
        CollectionAssert.AreEqual(expected, Texts(new GridSearch(), space));
    }

    [TestMethod]
    public void RangesHaveTheirEndsAndEvenSteps()
    {
        AreValues<double>([0.1, 0.2, 0.3, 0.4, 0.5], space => space.Range("x", 0.1, 0.5));
        AreValues<double>([1e-4, 1e-3, 1e-2], space => space.Range("x", 1e-4, 1e-2, logBase: true, steps: 3));
        AreValues<double>([1e-300, 1, 1e300], space => space.Range("x", 1e-300, 1e300, logBase: true, steps: 3));
        AreValues<double>([-double.MaxValue, double.MaxValue], space => space.Range("x", -double.MaxValue, double.MaxValue, steps: 2));
        AreValues<double>([3], space => space.Range("x", 3.0, 3.0));
        AreValues<double>([3], space => space.Range("x", 3.0, 4.0, steps: 1));
        AreValues<int>([1, 2, 3], space => space.Range("x", 1, 3, steps: 9));
        AreValues<int>([1, 10, 100, 1000], space => space.Range("x", 1, 1000, logBase: true, steps: 4));
        AreValues<int>([int.MinValue, int.MaxValue], space => space.Range("x", int.MinValue, int.MaxValue, steps: 2));
    }

    [TestMethod]
    public void ARandomSearchDrawsAllCombinationsOnceAndEnds()
    {
        var space = new SweepSpace().Choice("a", 1, 2, 3).Range("b", 1, 7, logBase: true, steps: 2).Choice("c", "x", "y");
        var drawn = Texts(new RandomSearch(5), space);
        Assert.HasCount(3 * 7 * 2, drawn);
        CollectionAssert.AllItemsAreUnique(drawn);
        CollectionAssert.AreEqual(drawn, Texts(new RandomSearch(5), space));
        CollectionAssert.AreNotEqual(drawn, Texts(new RandomSearch(6), space));
        CollectionAssert.AreNotEqual(drawn.Order(StringComparer.Ordinal).ToArray(), drawn);
    }

    [TestMethod]
    public void ARandomSearchOfARangeOfNumbersDrawsFromAllOfItWithoutEnd()
    {
        var space = new SweepSpace().Range("x", 1e-4, 1.0, logBase: true, steps: 2);
        double[] drawn = [.. new RandomSearch(1).Candidates(space.Dimensions).Take(400).Select(settings => settings.Get<double>("x"))];
        CollectionAssert.AllItemsAreUnique(drawn);
        Assert.IsTrue(Array.TrueForAll(drawn, value => value is >= 1e-4 and <= 1));
        var decades = drawn.GroupBy(value => Math.Floor(Math.Log10(value))).ToDictionary(group => group.Key, group => group.Count());
        foreach (var decade in (double[])[-4, -3, -2, -1])
            Assert.IsInRange(70, 130, decades[decade]);
    }

    [TestMethod]
    [Timeout(60_000)]
    public void ARandomSearchOfARangeOfFewNumbersEnds()
    {
        var space = new SweepSpace().Range("x", 1, Math.BitIncrement(1.0));
        Assert.HasCount(2, new RandomSearch(1).Candidates(space.Dimensions).ToArray());
    }

    [TestMethod]
    public void ARandomSearchOfAVeryLargeSpaceTakesNoMemoryOfIt()
    {
        var space = new SweepSpace().Range("x", 1, int.MaxValue, logBase: true).Range("y", 1, int.MaxValue).Range("z", 1, int.MaxValue);
        Assert.HasCount(50, new RandomSearch(1).Candidates(space.Dimensions).Take(50).ToArray());
    }

    [TestMethod]
    public void ChoicesAreOfEveryTypeAndComeBackAsTheyWere()
    {
        Comes(true, false);
        Comes((byte)1, (byte)2);
        Comes(1L, long.MaxValue);
        Comes(0.1f, float.Epsilon);
        Comes(0.1, double.MaxValue);
        Comes(0.10m, 0.2m);
        Comes("a", "Ä, \"b\"\n");
        Comes(ChainInitialization.Normal, ChainInitialization.CopyFirstChain);
        Comes<double[]>([0.1], []);
        Comes<string[]>(["a, b"], ["a", "b"]);
        Comes<ChainInitialization[]>([ChainInitialization.Normal], [ChainInitialization.CopyFirstChain]);
        Comes<WeightFormat?>(null, WeightFormat.Int8);
        Comes<int?>(3, null);
        Comes<bool?>(null, false);

        static void Comes<T>(T first, T second)
        {
            var space = new SweepSpace().Choice("x", first, second);
            T[] found = [.. new GridSearch().Candidates(space.Dimensions).Select(settings => settings.Get<T>("x"))];
            if (first is Array a && second is Array b)
            {
                CollectionAssert.AreEqual(a, (Array)(object)found[0]!);
                CollectionAssert.AreEqual(b, (Array)(object)found[1]!);
            }
            else
            {
                CollectionAssert.AreEqual(new[] { first, second }, found);
            }
        }
    }

    [TestMethod]
    public void LaterChangesOfAnArrayDoNotReachTheSpaceNorOneAnother()
    {
        int[] chains = [4];
        var space = new SweepSpace().Choice("chains", [chains]);
        chains[0] = 7;
        var settings = new GridSearch().Candidates(space.Dimensions).Single();
        settings.Get<int[]>("chains")[0] = 8;
        CollectionAssert.AreEqual(Four, settings.Get<int[]>("chains"));
    }

    [TestMethod]
    public void WhatIsNoSpaceIsRefusedByName()
    {
        var space = new SweepSpace().Choice("taken", 1, 2);
        Refuses("The name of a setting is empty", () => space.Choice("", 1, 2));
        Refuses("The name of a setting is empty", () => space.Range(" ", 1, 2));
        Refuses("The space has 'taken' already", () => space.Range("taken", 1, 2));
        Refuses("'x' has no value to choose", () => space.Choice<int>("x", []));
        Refuses("'x' has the value null twice", () => space.Choice<WeightFormat?>("x", [null, WeightFormat.Int4, null]));
        Refuses("'x' has the value [1, 2] twice", () => space.Choice<int[]>("x", [1, 2], [1, 2]));
        Refuses("The values of 'x' must not be null", () => space.Choice("x", "a", null!));
        Refuses("The values of 'x' must not be null", () => space.Choice<string[]>("x", ["a"], [null!]));
        Refuses("The values of 'x' must be bool, numbers, text, enums or arrays of these, found System.DateTime",
            () => space.Choice("x", DateTime.MinValue, DateTime.MaxValue));
        Refuses("found System.Object", () => space.Choice<object>("x", 1, 2));
        Refuses("The range of 'x' must be from a number to one that is not below it, found 2 to 1", () => space.Range("x", 2, 1));
        Refuses("found NaN to 1", () => space.Range("x", double.NaN, 1.0));
        Refuses("found 1 to Infinity", () => space.Range("x", 1.0, double.PositiveInfinity));
        Refuses("The range of 'x' must begin above 0 with logBase, found 0", () => space.Range("x", 0.0, 1.0, logBase: true));
        Refuses("The range of 'x' must begin above 0 with logBase, found -1", () => space.Range("x", -1, 1, logBase: true));
        Refuses("The range of 'x' must have from 1 to 65536 steps, found 0", () => space.Range("x", 1, 2, steps: 0));
        Refuses("The range of 'x' must have from 1 to 65536 steps, found 2147483647", () => space.Range("x", 0, 1.5, steps: int.MaxValue));
        Assert.HasCount(1, space.Dimensions);
        Assert.Throws<ArgumentNullException>(() => space.Choice<int>("x", null!));

        static void Refuses(string message, Action action) =>
            Assert.Contains(message, Assert.ThrowsExactly<ArgumentException>(action).Message);
    }

    private static string[] Texts(SweepSearch search, SweepSpace space) =>
        [.. search.Candidates(space.Dimensions).Select(settings => settings.Describe())];

    private static void AreValues<T>(T[] expected, Func<SweepSpace, SweepSpace> range) => CollectionAssert.AreEqual(
        expected, new GridSearch().Candidates(range(new()).Dimensions).Select(settings => settings.Get<T>("x")).ToArray());
}
