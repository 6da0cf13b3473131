using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Whether what was written to a tensor's memory is seen.</summary>
[TestClass, DoNotParallelize]
public sealed class TensorMemoryTests
{
    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void AnElementThatIsAnotherChangesHashAndSums(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var values = arange(1, 36, ScalarType.Float32).view(5, 7).to(dtype);
        var (hash, sums) = (TensorMemory.Hash(values), TensorMemory.Sums(values));
        Assert.AreEqual(hash, TensorMemory.Hash(values.clone()));
        CollectionAssert.AreEqual(sums, TensorMemory.Sums(values.clone()));
        for (var i = 0; i < values.numel(); i++)
        {
            var changed = values.clone();
            changed.view(-1)[i] = changed.view(-1)[i] * 2;
            Assert.AreNotEqual(hash, TensorMemory.Hash(changed));
            CollectionAssert.AreNotEqual(sums, TensorMemory.Sums(changed));
            var swapped = values.clone();
            var other = (i + 1) % values.numel();
            (swapped.view(-1)[i], swapped.view(-1)[other]) = (values.view(-1)[other].clone(), values.view(-1)[i].clone());
            Assert.AreNotEqual(hash, TensorMemory.Hash(swapped));
            CollectionAssert.AreNotEqual(sums, TensorMemory.Sums(swapped));
        }
    }
}
