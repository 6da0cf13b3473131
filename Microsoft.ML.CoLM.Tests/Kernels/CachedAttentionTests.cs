using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Attention of a few queries to cached keys and values.</summary>
[TestClass, DoNotParallelize]
public sealed unsafe class CachedAttentionTests
{
    private delegate void Kernel(
        float* queries, ReadOnlySpan<int> lengths, int d, void* keys, void* values, float* scores, float* output);

    public static IEnumerable<object[]> Shapes { get; } =
        from shape in new (int Count, int Longest, int Width)[]
        {
            (1, 1, 8), (1, 90, 64), (4, 17, 8), (3, 80, 20), (4, 150, 64), (13, 200, 72), (32, 130, 20), (1, 40, 88),
        }
        from lanes in new[] { 16, 8, 4 }
        select new object[] { shape.Count, shape.Longest, shape.Width, lanes };

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void QueriesReadTheirPast(int count, int longest, int d, int lanes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (queries, keys) = (randn([count, d], generator: generator) / MathF.Sqrt(d), randn([longest, d], generator: generator));
        var values = randn([longest, d], generator: generator);
        int[] lengths = [.. Enumerable.Range(0, count).Select(q => Math.Max(1, longest - 3 * q))];
        foreach (var isNarrow in new[] { false, true })
        {
            var (read, mixed) = isNarrow
                ? (keys.to(bfloat16).to(float32), values.to(bfloat16).to(float32)) : (keys, values);
            var output = isNarrow
                ? Attend<BFloat16Element>(queries, lengths, keys, values, bfloat16, lanes)
                : Attend<Float32Element>(queries, lengths, keys, values, float32, lanes);
            for (var q = 0; q < count; q++)
            {
                var scores = read.narrow(0, 0, lengths[q]).mv(queries[q]);
                TensorAssert.Near(mixed.narrow(0, 0, lengths[q]).t().mv(scores.softmax(0)), output[q], 2e-6, $"query {q}");
            }
        }
    }

    [TestMethod]
    [DataRow(16)]
    [DataRow(8)]
    [DataRow(4)]
    public void AQueryIsTheSameToTheBitAloneAndBesideOthers(int lanes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (queries, keys) = (randn([9, 88], generator: generator) / MathF.Sqrt(88), randn([170, 88], generator: generator));
        var values = randn([170, 88], generator: generator);
        int[] lengths = [70, 3, 41, 16, 170, 64, 65, 128, 100];
        var together = Attend<Float32Element>(queries, lengths, keys, values, float32, lanes);
        for (var q = 0; q < lengths.Length; q++)
        {
            var alone = Attend<Float32Element>(queries[q].unsqueeze(0), [lengths[q]], keys, values, float32, lanes);
            TensorAssert.SameBits(together[q], alone[0], $"query {q}");
        }
    }

    private static Tensor Attend<TCache>(Tensor queries, int[] lengths, Tensor keys, Tensor values, ScalarType dtype, int lanes)
        where TCache : struct, IElement
    {
        var (longest, d) = ((int)keys.size(0), (int)keys.size(1));
        var padded = CachedAttention.Padded(d);
        var (cachedKeys, cachedValues) = (zeros([CachedAttention.Padded(longest), d], dtype: dtype),
            zeros([CachedAttention.Padded(longest), padded], dtype: dtype));
        void* keyMemory = (void*)TensorMemory.Address(cachedKeys), valueMemory = (void*)TensorMemory.Address(cachedValues);
        for (var i = 0; i < longest; i++)
        {
            CachedAttention.Store<TCache>((float*)TensorMemory.Address(keys) + i * d,
                (float*)TensorMemory.Address(values) + i * d, d, i, keyMemory, valueMemory);
        }
        var rows = CachedAttention.PaddedQueries(lengths.Length);
        var fours = zeros([rows, d]);
        fours.narrow(0, 0, lengths.Length).copy_(queries.narrow(0, 0, lengths.Length));
        var (scores, output) = (zeros([rows, CachedAttention.ScoreStride(longest)]), zeros([rows, padded]));
        Kernel kernel = lanes switch
        {
            16 => CachedAttention.Attend<TCache, Floats16>,
            8 => CachedAttention.Attend<TCache, Floats8>,
            _ => CachedAttention.Attend<TCache, Floats4>,
        };
        kernel((float*)TensorMemory.Address(fours), lengths, d, keyMemory, valueMemory,
            (float*)TensorMemory.Address(scores), (float*)TensorMemory.Address(output));
        return output.narrow(1, 0, d);
    }
}
