using System.Collections.Concurrent;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Makes one model's predictions available to many threads at once, such as a web service's requests. A PredictionEngine serves
/// one thread at a time, so the pool creates as many as are needed simultaneously.
/// </summary>
/// <typeparam name="TSrc">The type of an input row.</typeparam>
/// <typeparam name="TDst">The type of a prediction.</typeparam>
/// <remarks>
/// Created by <see cref="CoLMCatalog.CreatePredictionEnginePool"/>. All engines share the transformer's weights; each takes
/// little more than its buffers. Thread-safe.
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

    /// <param name="create">Creates an engine that does not own its transformer.</param>
    internal PredictionPool(Func<PredictionEngine<TSrc, TDst>> create)
    {
        _create = create;
        _free = [create()]; // a transformer or a row that does not fit is refused here, not in the first request
    }

    /// <summary>Idle engines.</summary>
    internal int FreeEngines => _free.Count;

    /// <summary>Returns the prediction for one row.</summary>
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

    /// <summary>
    /// Disposes the engines, those in use as soon as they finish; the transformer still belongs to the caller.
    /// </summary>
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
