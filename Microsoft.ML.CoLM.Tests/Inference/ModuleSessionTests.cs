using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>The session that runs on libtorch, for every device and type.</summary>
[TestClass, DoNotParallelize]
public sealed class ModuleSessionTests
{
    public required TestContext TestContext { get; set; }

    [TestMethod]
    [DataRow("8")]
    [DataRow("8,4")]
    public void Baseline(string chains)
    {
        using var model = SessionModels.Create(chains, kvSharing: true, float32);
        using var session = DecodingSession.Create(model, new KvCache(model, 200, 2, isBlocked: false), ownsCache: true, mayGrow: false);
        session.Prefill(0, [1, 2, 3], 1);
        session.Run([new(0, 3, 5)], 0, new ChainRange(0, 1));
        var names = OperatorCalls.Of(() => session.Run([new(0, 4, 5)], 0, new ChainRange(0, 1)));
        TestContext.WriteLine($"{names.Count} calls, {model.Config.LayerCount} layers");
        TestContext.WriteLine(string.Join(' ', names));
        Console.WriteLine($"{names.Count} calls, {model.Config.LayerCount} layers" + string.Join(' ', names));
    }
}
