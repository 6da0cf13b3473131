using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A session's model and cache: until the session ends, neither is freed, whoever disposes it.</summary>
internal sealed class SessionUse : IDisposable
{
    private readonly CoLMModel _given;
    private readonly bool _ownsCache;
    private readonly Lifetime.Use _modelUse;
    private readonly Lifetime.Use _cacheUse;

    /// <param name="model">The model, which may have adapters.</param>
    /// <param name="cache">Its cache.</param>
    /// <param name="ownsCache">Whether the cache is disposed in the end.</param>
    /// <exception cref="ObjectDisposedException">One of them was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another session, or a copy or a save, has the cache.</exception>
    public SessionUse(CoLMModel model, KvCache cache, bool ownsCache)
    {
        (_given, Cache, _ownsCache) = (model, cache, ownsCache);
        _modelUse = model.EnterWithoutAdapters(out var merged);
        Model = merged;
        try
        {
            _cacheUse = cache.EnterAlone();
        }
        catch
        {
            _modelUse.Dispose();
            throw;
        }
    }

    /// <summary>The model with its adapters in the weights.</summary>
    public CoLMModel Model { get; }

    public KvCache Cache { get; }

    /// <summary>Refuses to go on with what was disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The model or the cache was.</exception>
    public void Check()
    {
        _given.CheckUsable();
        Cache.CheckUsable();
    }

    public void Dispose()
    {
        if (_ownsCache)
            Cache.Dispose();
        _cacheUse.Dispose();
        _modelUse.Dispose();
    }
}
