using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>The sessions that generation runs on, of models with quantised chains.</summary>
[TestClass, DoNotParallelize]
public sealed class QuantizedSessionTests
{
    private const int PromptLength = 70;

    // What 16 bits round away is a few percent of a narrow model's logits.
    public static IEnumerable<object[]> Models =>
        from chains in new[] { "4,4,2", "96,48" }
        from kvSharing in new[] { false, true }
        from dtype in chains == "96,48" ? new[] { float32, bfloat16, float16 } : [float32]
        from formats in new[] { "Int8", "Int4", "Int4,Int8", "Int8," }
        select new object[] { chains, kvSharing, dtype, formats };

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void LogitsAreThoseOfTheWidenedWeights(string chains, bool kvSharing, ScalarType dtype, string formats)
    {
        using var scope = NewDisposeScope();
        using var model = Create(chains, kvSharing, dtype, formats);
        model.RoundsActivations = false;
        var tokens = SessionModels.Tokens(model, PromptLength + 3);
        using var exact = model.Quantize(new WeightFormat?[model.ChainCount]);
        using var numbers = ((CoLMModel)exact.to(float32)).Share(0);
        foreach (var library in Enum.GetValues<MatrixLibrary>())
        {
            using var products = Multiplied.By(library);
            for (var chainCount = 1; chainCount <= model.ChainCount; chainCount++)
            {
                using var session = DecodingSession.Create(model, 1, tokens.Length);
                var reference = SessionModels.Reference(numbers, tokens, chainCount);
                session.Prefill(0, tokens.AsSpan(0, PromptLength), chainCount);
                foreach (var row in SessionModels.Rows(tokens, PromptLength, 3))
                {
                    session.Run([row], 0, new ChainRange(0, chainCount));
                    SessionModels.Near(reference[row.Position], session.Logits(0), SessionModels.Tolerance(dtype, reference),
                        $"{chainCount} chains, multiplied by {library}");
                }
            }
        }
    }

    [TestMethod]
    [DataRow("Int8", ScalarType.Float32)]
    [DataRow("Int4", ScalarType.Float32)]
    [DataRow("Int4,Int8", ScalarType.BFloat16)]
    public void RoundedActivationsChangeLittle(string formats, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = Create("96,48", kvSharing: true, dtype, formats);
        var tokens = SessionModels.Tokens(model, PromptLength + 1);
        var row = SessionModels.Rows(tokens, PromptLength, 1);
        var rounded = Run();
        model.RoundsActivations = false;
        var exact = Run();
        var difference = TensorAssert.MaxDifference(tensor(exact), tensor(rounded));
        Assert.IsGreaterThan(0, difference, "Nothing was rounded.");
        TensorAssert.AtMost(0.05 * exact.Max(MathF.Abs), difference);
        model.RoundsActivations = true;
        CollectionAssert.AreEqual(rounded, Run());

        float[] Run()
        {
            using var session = DecodingSession.Create(model, 1, tokens.Length);
            session.Prefill(0, tokens.AsSpan(0, PromptLength), 2);
            session.Run(row, 0, new ChainRange(0, 2));
            return session.Logits(0).ToArray();
        }
    }

    [TestMethod]
    [DataRow("4,4,2", false, true)]
    [DataRow("96,48", true, true)]
    [DataRow("96,48", false, false)]
    public void ARowIsTheSameToTheBitHoweverItIsRun(string chains, bool kvSharing, bool rounds)
    {
        using var model = Create(chains, kvSharing, float32, "Int4,Int8");
        model.RoundsActivations = rounds;
        var (tokens, all) = (SessionModels.Tokens(model, 31), model.ChainCount);
        var rows = SessionModels.Rows(tokens, 20, 11);
        var threads = get_num_threads();
        List<float[]> expected = [];
        try
        {
            foreach (var count in new[] { 1, 2, 3 })
            {
                set_num_threads(count);
                using var session = DecodingSession.Create(model, 2, tokens.Length);
                session.Prefill(0, tokens.AsSpan(0, 20), all);
                session.Prefill(1, tokens.AsSpan(3, 9), all);
                for (var i = 0; i < rows.Length; i++)
                {
                    session.Run([rows[i]], 0, new ChainRange(0, all));
                    if (expected.Count <= i)
                        expected.Add(session.Logits(0).ToArray());
                    CollectionAssert.AreEqual(expected[i], session.Logits(0).ToArray(), $"row {i}, {count} threads");
                }

                session.Trim(0, 20);
                session.Run([.. SessionModels.Rows(tokens, 9, 2, sequence: 1), .. rows], 1, new ChainRange(0, all));
                for (var i = 0; i < rows.Length; i++)
                    CollectionAssert.AreEqual(expected[i], session.Logits(3 + i).ToArray(), $"row {i} of many, {count} threads");

                session.Trim(0, 20);
                for (var i = 0; i < rows.Length; i++)
                    session.Run([rows[i]], i, new ChainRange(0, 1));
                session.Run(rows, 0, new ChainRange(1, all));
                for (var i = 0; i < rows.Length; i++)
                    CollectionAssert.AreEqual(expected[i], session.Logits(i).ToArray(), $"row {i} drafted, {count} threads");
            }
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static CoLMModel Create(string chains, bool kvSharing, ScalarType dtype, string formats)
    {
        using var source = SessionModels.Create(chains, kvSharing, dtype);
        WeightFormat?[] given = [.. formats.Split(',').Select(name => name.Length == 0 ? (WeightFormat?)null : Enum.Parse<WeightFormat>(name))];
        return source.Quantize([.. Enumerable.Range(0, source.ChainCount).Select(chain => given[Math.Min(chain, given.Length - 1)])]);
    }
}
