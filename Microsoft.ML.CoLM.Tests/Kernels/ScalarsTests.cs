using System.Reflection;
using Microsoft.ML.CoLM.Tests.Interop;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Numbers that libtorch reads while the garbage collector may run.</summary>
[TestClass, DoNotParallelize]
public sealed class ScalarsTests
{
    private readonly Dictionary<MethodBase, bool> _known = [];

    /// <summary>
    /// Neither the library itself nor a function of TorchSharp that it calls makes a Scalar that nobody keeps.
    /// </summary>
    [TestMethod]
    public void EveryNumberThatLibtorchIsGivenIsKept()
    {
        string[] found = [.. MethodCalls.OfLibrary().SelectMany(method => MethodCalls.From(method)
            .Where(called => called.Module.Assembly == typeof(Scalar).Assembly && LeavesScalarBehind(called))
            .Select(called => $"{method.DeclaringType}.{method.Name} calls {called.DeclaringType!.Name}.{called}"))];
        Assert.IsEmpty(found, string.Join('\n', found));
    }

    // A Scalar that is made on purpose, by ToScalar, is its maker's to keep.
    private bool LeavesScalarBehind(MethodBase method)
    {
        if (method.DeclaringType == typeof(Scalar))
            return method.Name == "op_Implicit";
        // A script's arguments become Scalars where they are numbers; LayerScript gives it a Scalar that is kept, and tensors.
        if (method.DeclaringType == typeof(torch.jit.CompilationUnit))
            return false;
        if (_known.TryGetValue(method, out var known))
            return known;
        _known[method] = false;
        return _known[method] = MethodCalls.From(method)
            .Any(called => called.Module.Assembly == typeof(Scalar).Assembly && LeavesScalarBehind(called));
    }
}
