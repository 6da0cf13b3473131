using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Tests.Interop;

[TestClass, DoNotParallelize]
public sealed class ProcessMemoryTests
{
    [TestMethod]
    [DataRow("VmHWM:\t   34432 kB", 34432L)]
    [DataRow("VmHWM:\t12345678 kB", 12345678L)]
    [DataRow("VmHWM:\t123456789 kB", 123456789L)]
    public void ANumberOfAnyLengthIsRead(string line, long kibibytes) =>
        Assert.AreEqual(kibibytes * 1024, ProcessMemory.Bytes(line));

    [TestMethod]
    [DataRow(null)]
    [DataRow("")]
    [DataRow("VmHWM:")]
    [DataRow("VmHWM:\tmany kB")]
    public void ALineWithoutANumberGivesNone(string? line) => Assert.IsNull(ProcessMemory.Bytes(line));
}
