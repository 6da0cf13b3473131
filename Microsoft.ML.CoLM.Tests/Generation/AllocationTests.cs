using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Generation;

[TestClass, DoNotParallelize]
public sealed class AllocationTests
{
    // An id and a character are 6. What holds them all grows by doubling, and has one size for both counts below.
    private const double MostBytesOfAToken = 8;
    private const int Few = 3000;
    private const int Many = 4000;

    [TestMethod]
    [DataRow(false, 0.0)]
    [DataRow(false, 1.0)]
    [DataRow(true, 0.0)]
    [DataRow(true, 1.0)]
    public void ATokenAllocatesNoMoreThanItsPlaceInTheResult(bool speculative, double temperature)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { ContextLength = 4096, EosTokenIds = [] });
        using var session = new ConstantSession(model.Config.VocabularySize);
        var generator = Generators.Create(model);
        Allocated(Few);
        TensorAssert.AtMost(MostBytesOfAToken, (Allocated(Many) - Allocated(Few)) / (Many - Few), "Bytes of a token");

        double Allocated(int tokens)
        {
            session.Trim(0, 0);
            var options = new GenerationOptions
            {
                MaxNewTokens = tokens,
                Temperature = temperature,
                TopP = 0.9,
                RepetitionPenalty = 1.1,
                StopTexts = ["never"],
                Seed = 1,
                SpeculativeDecoding = speculative,
            };
            var before = GC.GetAllocatedBytesForCurrentThread();
            Assert.HasCount(tokens, generator.Resume(session, [256], options, capacity: int.MaxValue).TokenIds);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    /// <summary>A session that costs nothing: the same logits always.</summary>
    private sealed class ConstantSession : IDecodingSession
    {
        private readonly float[] _logits;
        private int _length;

        public ConstantSession(int vocabularySize)
        {
            _logits = new float[vocabularySize];
            (_logits['a'], _logits['b'], _logits[' ']) = (9, 8, 8);
        }

        public int SlotCount => 16;

        public IReadOnlyList<long> KeyValuesComputed { get; } = [0, 0];

        public IReadOnlyList<long> FeaturesComputed { get; } = [0, 0];

        public int Length(int sequence) => _length;

        public void Prefill(
            int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default) =>
            _length += tokens.Length;

        public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains) =>
            _length += chains.First == 0 ? rows.Length : 0;

        public ReadOnlySpan<float> Logits(int slot) => _logits;

        public void Trim(int sequence, int length) => _length = length;

        public void Grow(int sequence, int chainCount)
        {
        }

        public void Dispose()
        {
        }
    }
}
