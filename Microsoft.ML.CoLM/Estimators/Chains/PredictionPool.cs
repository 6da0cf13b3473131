using System.Collections.Concurrent;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Predictions of one model for many threads at once, such as a web service's requests: a PredictionEngine serves one
/// thread at a time, so there are as many of them as were ever needed together.
/// </summary>
/// <typeparam name="TSrc">A row.</typeparam>
/// <typeparam name="TDst">A prediction.</typeparam>
/// <remarks>
/// Made by <see cref="CoLMCatalog.CreatePredictionEnginePool"/>. All engines share the transformer's weights; one by itself
/// takes little more than its buffers. Safe for several threads.
/// <format type="text/markdown"><![CDATA[
/// ```csharp
/// var model = mlContext.Model.Load("model.zip", out _);
/// builder.Services.AddSingleton(mlContext.Model.CreatePredictionEnginePool<Document, Score>(model));
/// app.MapPost("/score", (Document document, PredictionPool<Document, Score> pool) => pool.Predict(document));
/// ```
/// ]]></format>
/// </remarks>
public sealed class PredictionPool<TSrc, TDst> : IDisposable
    where TSrc : class
    where TDst : class, new()
{
    private readonly Func<PredictionEngine<TSrc, TDst>> _create;
    private readonly ConcurrentBag<PredictionEngine<TSrc, TDst>> _free;
    private volatile bool _disposed;

    /// <param name="create">Makes an engine that does not own its transformer.</param>
    internal PredictionPool(Func<PredictionEngine<TSrc, TDst>> create)
    {
        _create = create;
        _free = [create()]; // a transformer or a row that does not fit is refused here, not in the first request
    }

    /// <summary>Engines that wait for a row.</summary>
    internal int FreeEngines => _free.Count;

    /// <summary>Predicts of one row.</summary>
    /// <param name="example">The row.</param>
    /// <returns>A new object for every call.</returns>
    /// <exception cref="ObjectDisposedException">The pool or the transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The MLContext's execution was cancelled.</exception>
    public TDst Predict(TSrc example)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var engine = _free.TryTake(out var free) ? free : _create();
        TDst prediction;
        try
        {
            prediction = engine.Predict(example);
        }
        catch
        {
            engine.Dispose();
            throw;
        }
        _free.Add(engine);
        if (_disposed)
            DisposeFree();
        return prediction;
    }

    /// <summary>Frees the engines, those that predict as soon as they have; the transformer stays the caller's.</summary>
    public void Dispose()
    {
        _disposed = true;
        DisposeFree();
    }

    private void DisposeFree()
    {
        while (_free.TryTake(out var engine))
            engine.Dispose();
    }
}
