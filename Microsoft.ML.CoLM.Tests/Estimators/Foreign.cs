using System.Reflection;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>
/// A transformer that holds memory, as those of ONNX and TensorFlow do: it does what another one does, and counts its
/// disposals. ML.NET lets nobody else implement the interface, but a proxy may.
/// </summary>
public class Foreign : DispatchProxy
{
    private ITransformer? _inner;

    public int Disposals { get; private set; }

    /// <summary>The transformer to put into a chain.</summary>
    public ITransformer Transformer => (ITransformer)(object)this;

    public static Foreign Of(ITransformer inner)
    {
        var proxy = (Foreign)Create<IDisposableTransformer, Foreign>();
        proxy._inner = inner;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name != nameof(IDisposable.Dispose))
            return targetMethod.Invoke(_inner, args);
        Disposals++;
        return null;
    }

    public interface IDisposableTransformer : ITransformer, IDisposable;
}
