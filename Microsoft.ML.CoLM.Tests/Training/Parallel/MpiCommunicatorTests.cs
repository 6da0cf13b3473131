using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class MpiCommunicatorTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void RanksExchangeNumbersAndMessages(int ranks)
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, ranks, $"{ranks}");
            return;
        }
        using var communicator = Communicator.FromMpi();
        Assert.AreEqual(ranks, communicator.Size);
        var rank = communicator.Rank;

        // Longer than a bucket, and than several.
        foreach (var length in (int[])[0, 1, 1000, 3_000_001])
        {
            var floats = Enumerable.Range(0, length).Select(i => (float)(i * (rank + 1))).ToArray();
            communicator.Sum(floats);
            var factor = ranks * (ranks + 1) / 2;
            Assert.IsTrue(floats.Select((value, i) => value == (float)i * factor || Math.Abs(value / ((float)i * factor) - 1) < 1e-6).All(isRight => isRight));
            using var tensor = TorchSharp.torch.arange(length, dtype: TorchSharp.torch.float32).mul(rank + 1);
            ((MpiCommunicator)communicator).SumWhereItLies(tensor);
            CollectionAssert.AreEqual(floats, tensor.data<float>().ToArray());
            var doubles = Enumerable.Range(0, length).Select(i => i + 0.5 * rank).ToArray();
            communicator.Sum(doubles);
            Assert.IsTrue(doubles.Select((value, i) => value == ranks * (double)i + 0.5 * ranks * (ranks - 1) / 2).All(isRight => isRight));
            var bytes = Enumerable.Range(0, length).Select(i => (byte)(i * (rank + 1))).ToArray();
            communicator.Broadcast(bytes, root: ranks - 1);
            Assert.IsTrue(bytes.Select((value, i) => value == (byte)(i * ranks)).All(isRight => isRight));
        }
        Assert.IsFalse(communicator.Any(false));
        Assert.IsTrue(communicator.Any(rank == 1));
        communicator.Barrier();

        if (rank == 0)
        {
            for (var other = 1; other < ranks; other++)
            {
                foreach (var length in (int[])[0, 5, 200_000])
                {
                    byte[]? message;
                    while ((message = communicator.TryReceive(other)) is null)
                        Thread.Sleep(1);
                    CollectionAssert.AreEqual(Message(other, length), message);
                }
            }
        }
        else
        {
            foreach (var length in (int[])[0, 5, 200_000])
                communicator.Send(Message(rank, length), 0);
        }
        Assert.IsGreaterThan(0, communicator.BytesExchanged);
        Assert.ThrowsExactly<InvalidOperationException>(() => Communicator.FromMpi());

        static byte[] Message(int rank, int length) => [.. Enumerable.Range(0, length).Select(i => (byte)(i + rank))];
    }
}
