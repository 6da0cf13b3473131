using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>Models that sessions are tried on, and what their modules say.</summary>
internal static class SessionModels
{
    public const int Context = 1100;

    /// <summary>
    /// Chains, KV sharing and element type; float16 takes the session of the modules. The widest model's rows are worked on by
    /// all threads, the others' by one (<see cref="RangePlanTests"/>).
    /// </summary>
    public static IEnumerable<object[]> All =>
        from chains in new int[][] { [4], [4, 4, 2], [8, 4], [96, 48] }
        from kvSharing in new[] { false, true }
        from dtype in new[] { float32, bfloat16, float16 }
        select new object[] { string.Join(',', chains), kvSharing, dtype };

    public static CoLMModel Create(string chains, bool kvSharing, ScalarType dtype)
    {
        var layout = ChainLayout.Parse(chains);
        var width = 4 * layout.Heads[0];
        // Products of as large numbers at every width.
        return TestModels.Random(TestModels.Config([.. layout.Heads]) with
        {
            KvSharing = kvSharing,
            LayerCount = 3,
            ContextLength = Context,
            HiddenSize = width,
            IntermediateSize = width * 3 / 2,
        }, dtype: dtype, deviation: 2 / Math.Sqrt(width));
    }

    public static int[] Tokens(CoLMModel model, int count, int seed = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(model.Config.VocabularySize))];
    }

    /// <summary>Logits [tokens, V] that the modules compute in float32, without a cache.</summary>
    public static Tensor Reference(CoLMModel model, int[] tokens, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var copy = new CoLMModel(model.Config, CPU, float32);
        foreach (var ((_, own), (_, copied)) in model.named_parameters().Zip(copy.named_parameters()))
            copied.copy_(own);
        using var ids = tensor(tokens.Select(token => (long)token).ToArray()).unsqueeze(0);
        return copy.forward(ids, chainCount)[0].MoveToOuterDisposeScope();
    }

    public static DecodingRow[] Rows(int[] tokens, int first, int count, int sequence = 0) =>
        [.. Enumerable.Range(first, count).Select(position => new DecodingRow(sequence, position, tokens[position]))];

    /// <summary>What the element type may change in a logit.</summary>
    public static double Tolerance(ScalarType dtype, Tensor reference)
    {
        var largest = reference.abs().max().item<float>();
        return largest * dtype switch { ScalarType.Float32 => 2e-6, ScalarType.Float16 => 1e-2, _ => 2e-2 };
    }

    public static void Near(Tensor expected, ReadOnlySpan<float> logits, double tolerance, string what = "")
    {
        using var scope = NewDisposeScope();
        TensorAssert.AtMost(tolerance, TensorAssert.MaxDifference(expected, tensor(logits.ToArray())), what);
    }
}
