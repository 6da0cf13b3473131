using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class SafetensorsWriterTests
{
    [TestMethod]
    public void AFileIsToTheByteWhatHuggingFacesWriterMakes()
    {
        using var scope = NewDisposeScope();
        var file = Write(
            ("b", tensor(new float[] { 1, 2 })), ("a", tensor(new float[] { 3 }).bfloat16()), ("B", tensor(4f)));
        const string header =
            """{"__metadata__":{"format":"pt"},"B":{"dtype":"F32","shape":[],"data_offsets":[0,4]},""" +
            "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}," +
            "\"a\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[12,14]}}";
        var padded = header.PadRight((header.Length + 7) / 8 * 8);
        byte[] expected =
        [
            .. BitConverter.GetBytes((long)padded.Length), .. Encoding.UTF8.GetBytes(padded),
            .. BitConverter.GetBytes(4f), .. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f), 0x40, 0x40,
        ];
        CollectionAssert.AreEqual(expected, file);
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    [DataRow(ScalarType.Float16)]
    public void EveryTypeOfWeightsSurvivesARoundTripToTheBit(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var weights = randn(3, 5).to(type);
        var file = Write(("w", weights));
        using var reader = new SafetensorsReader(new MemoryStream(file), "w");
        var read = reader.Read(reader.Entries[0]);
        Assert.AreEqual(type, read.dtype);
        CollectionAssert.AreEqual(weights.bytes.ToArray(), read.bytes.ToArray());
    }

    [TestMethod]
    [DataRow(ScalarType.BFloat16, ScalarType.Float32)]
    [DataRow(ScalarType.Float16, ScalarType.Float32)]
    [DataRow(ScalarType.Float32, ScalarType.BFloat16)]
    [DataRow(ScalarType.Float32, ScalarType.Float16)]
    public void ReadingConvertsToTheTargetsType(ScalarType stored, ScalarType wanted)
    {
        using var scope = NewDisposeScope();
        var weights = randn((5 << 20) + 3).to(stored); // more than one chunk
        var file = Write(("w", weights));
        var target = new TorchSharp.Modules.Parameter(zeros(weights.shape, dtype: wanted));
        using var reader = new SafetensorsReader(new MemoryStream(file), "w");
        reader.Read(reader.Entries[0], target);
        Assert.IsTrue(target.detach().equal(weights.to(wanted)).all().ToBoolean());
    }

    [TestMethod]
    public void ATensorThatIsAViewIsWrittenAsItsElements()
    {
        using var scope = NewDisposeScope();
        var transposed = arange(6, dtype: float32).view(2, 3).t();
        var file = Write(("w", transposed));
        using var reader = new SafetensorsReader(new MemoryStream(file), "w");
        var read = reader.Read(reader.Entries[0]);
        CollectionAssert.AreEqual(new float[] { 0, 3, 1, 4, 2, 5 }, read.data<float>().ToArray());
    }

    [TestMethod]
    public void ATypeThatIsNoneOfWeightsIsRefused()
    {
        using var weights = zeros(2, dtype: float64);
        var error = Assert.ThrowsExactly<NotSupportedException>(() => Write(("w", weights)));
        Assert.Contains("Float64", error.Message);
    }

    private static byte[] Write(params (string Name, Tensor Tensor)[] tensors)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, tensors.Select(entry => KeyValuePair.Create(entry.Name, entry.Tensor)));
        return stream.ToArray();
    }
}
