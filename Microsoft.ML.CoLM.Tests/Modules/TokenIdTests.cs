using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>What a model takes as token ids and what it refuses.</summary>
[TestClass, DoNotParallelize]
public sealed class TokenIdTests
{
    private readonly CoLMModel _model = TestModels.Random(TestModels.Config(4, 2));

    [TestCleanup]
    public void Dispose() => _model.Dispose();

    [TestMethod]
    [DataRow(ScalarType.Int32)]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.Bool)]
    public void IdsOfAnotherTypeAreRefused(ScalarType dtype)
    {
        using var ids = ones([2, 3], dtype: dtype);
        Assert.Contains($"found [2, 3] of {dtype}", Refused(ids));
    }

    [TestMethod]
    [DataRow(new long[0], "found []")]
    [DataRow(new long[] { 3 }, "found [3]")]
    [DataRow(new long[] { 1, 2, 3 }, "found [1, 2, 3]")]
    public void IdsThatAreNoBatchOfSequencesAreRefused(long[] shape, string message)
    {
        using var ids = ones(shape, dtype: int64);
        Assert.Contains(message, Refused(ids));
    }

    [TestMethod]
    [DataRow(0, 3)]
    [DataRow(2, 0)]
    [DataRow(0, 0)]
    public void EmptyIdsAreRefused(int batch, int length)
    {
        using var ids = ones([batch, length], dtype: int64);
        Assert.Contains($"at least one token, found [{batch}, {length}]", Refused(ids));
    }

    [TestMethod]
    [DataRow(40L)]
    [DataRow(41L)]
    [DataRow(-1L)]
    [DataRow(long.MaxValue)]
    [DataRow(long.MinValue)]
    public void AnIdOutsideTheVocabularyIsRefusedWithBothNumbers(long id)
    {
        using var ids = ones([2, 3], dtype: int64);
        ids[1, 2] = id;
        Assert.Contains($"Token id {id} is outside the vocabulary of 40", Refused(ids));
    }

    [TestMethod]
    public void ASequenceBeyondTheContextIsRefusedWithBothLengths()
    {
        using var ids = ones([1, 65], dtype: int64);
        var message = Refused(ids);
        Assert.Contains("65 tokens", message);
        Assert.Contains("context of 64", message);
    }

    [TestMethod]
    public void NoIdsAreRefused() =>
        Assert.AreEqual("tokenIds",
            Assert.ThrowsExactly<ArgumentNullException>(() => _model.forward(null!, 1)).ParamName);

    [TestMethod]
    [DataRow(1, 1)]
    [DataRow(1, 64)]
    [DataRow(40, 1)]
    public void EveryIdAndEveryLengthUpToTheContextIsTaken(int batch, int length)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = arange(batch * length, dtype: int64).remainder(40).view(batch, length);
        var logits = _model.forward(ids, 2);
        CollectionAssert.AreEqual(new long[] { batch, length, 40 }, logits.shape);
        Assert.IsTrue(logits.isfinite().all().item<bool>());
    }

    [TestMethod]
    public void IdsInAnyMemoryOrderAreTaken()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = TestIds.Of(_model.Config, 3, 20);
        var slice = ids.narrow(1, 2, 9);
        TensorAssert.SameBits(_model.forward(slice.contiguous(), 2), _model.forward(slice, 2), "a slice");
        TensorAssert.SameBits(_model.forward(ids.t().contiguous(), 2), _model.forward(ids.t(), 2), "transposed");
        var repeated = ids.narrow(0, 0, 1).expand(4, 20);
        TensorAssert.SameBits(_model.forward(repeated.contiguous(), 2), _model.forward(repeated, 2), "expanded");
    }

    [TestMethod]
    public void TheIdsAreLeftAsTheyWere()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = TestIds.Of(_model.Config, 3, 9);
        var before = ids.clone();
        _model.forward(ids, 2);
        TensorAssert.SameBits(before, ids);
    }

    private string Refused(Tensor ids)
    {
        var error = Assert.ThrowsExactly<ArgumentException>(() => _model.forward(ids, 1));
        Assert.AreEqual("tokenIds", error.ParamName);
        return error.Message;
    }
}
