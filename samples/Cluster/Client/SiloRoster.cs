using System.Net;
using ClusterSample.Membership;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Messaging;

namespace ClusterSample.Client;

/// <summary>
/// The silos that hold a client's model, as they come and go: the list of gateways is read again and again, and whoever is new
/// in it is asked what it is. A silo with another model is passed over.
/// </summary>
internal sealed class SiloRoster : IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(500);

    // For what a silo has when it leaves the list: one that left in good order finishes it, one that hangs never does.
    private static readonly TimeSpan RetirementPatience = TimeSpan.FromSeconds(10);

    private readonly ClusterMembership _membership;
    private readonly string _modelHash;
    private readonly string _modelPath;
    private readonly TimeSpan _blockTimeout;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _end = new();
    private readonly IHost _host;
    private readonly IGatewayListProvider _list;
    private readonly Lock _lock = new();
    private readonly Dictionary<Uri, Gateway> _gateways = [];
    private readonly List<Action<IScoringSilo>> _subscribers = [];
    private readonly TaskCompletionSource _firstRound = new();
    private readonly Task _watching;
    private string? _listProblem;
    private bool _isAgreed;
    private int? _chainCount;

    /// <param name="membership">Where the list is.</param>
    /// <param name="file">The client's model.</param>
    /// <param name="blockTimeout">How long a silo may take for a block.</param>
    /// <param name="log">Told of silos that come and go, in a line each.</param>
    public SiloRoster(ClusterMembership membership, ModelFile file, TimeSpan blockTimeout, Action<string> log)
    {
        (_membership, _modelHash, _modelPath, _blockTimeout, _log) = (membership, file.Hash, file.Path, blockTimeout, log);
        _listProblem = $"{membership} has not answered yet";
        // Of this client nothing but the list is used: it is never started.
        _host = new HostBuilder().UseOrleansClient(membership.Configure).Build();
        _list = _host.Services.GetRequiredService<IGatewayListProvider>();
        _watching = Task.Run(WatchAsync);
    }

    /// <summary>Waits until some silo holds the model and all that are listed first have been asked.</summary>
    /// <returns>The silos.</returns>
    /// <exception cref="ScoringUnavailableException">There was none in time.</exception>
    public async Task<IReadOnlyList<OrleansSilo>> WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var deadline = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (Environment.TickCount64 < deadline)
        {
            lock (_lock)
            {
                OrleansSilo[] silos = [.. _gateways.Values.Select(gateway => gateway.Silo).OfType<OrleansSilo>()];
                if (_firstRound.Task.IsCompleted && silos.Length > 0)
                    return silos;
            }
            await Task.Delay(Poll / 5, cancellationToken);
        }
        throw new ScoringUnavailableException(WhyNone());
    }

    /// <summary>From now on silos that were started with another chain count are passed over, too.</summary>
    public void Agree(int? chainCount)
    {
        lock (_lock)
        {
            (_chainCount, _isAgreed) = (chainCount, true);
            foreach (var gateway in _gateways.Values)
            {
                if (gateway.Silo is { } silo && WhyRefused(silo) is { } refusal)
                    Refuse(gateway, silo, refusal);
            }
        }
    }

    /// <summary>Tells of each silo that is there, and of each that joins.</summary>
    /// <returns>Ends it.</returns>
    public IDisposable Subscribe(Action<IScoringSilo> join)
    {
        lock (_lock)
        {
            _subscribers.Add(join);
            foreach (var silo in _gateways.Values.Select(gateway => gateway.Silo).OfType<OrleansSilo>())
                join(silo);
        }
        return new Subscription(this, join);
    }

    /// <summary>Says why there is no silo.</summary>
    public string WhyNone()
    {
        lock (_lock)
        {
            var why = _listProblem ?? (_gateways.Count == 0 ? $"{_membership} lists none" :
                string.Join("; ", _gateways.Values.Select(gateway => gateway.Problem ?? "one has not answered yet")));
            return $"There is no silo to score with the model of SHA-256 {_modelHash} ({_modelPath}): {why}.";
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _watching;
        foreach (var gateway in _gateways.Values)
        {
            if (gateway.Silo is { } silo)
                await silo.DisposeAsync();
        }
        _host.Dispose();
        _end.Dispose();
    }

    private async Task WatchAsync()
    {
        var isInitialized = false;
        while (!_end.IsCancellationRequested)
        {
            try
            {
                if (!isInitialized)
                    await _list.InitializeGatewayListProvider();
                isInitialized = true;
                var attempts = Follow(await _list.GetGateways());
                _listProblem = null;
                if (!_firstRound.Task.IsCompleted && attempts.Length > 0)
                    _ = Task.WhenAll(attempts).ContinueWith(_ => _firstRound.TrySetResult(), TaskScheduler.Default);
            }
            catch (Exception e)
            {
                _listProblem = $"{_membership} could not be read: {e.Message}";
            }
            await Task.Delay(Poll, _end.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    /// <returns>The attempts to connect.</returns>
    private Task[] Follow(IList<Uri> listed)
    {
        lock (_lock)
        {
            foreach (var address in listed)
            {
                if (!_gateways.TryGetValue(address, out var gateway))
                {
                    _gateways.Add(address, gateway = new Gateway { Attempt = Task.CompletedTask });
                    gateway.Attempt = Task.Run(() => ConnectAsync(address, gateway));
                }
                else if (gateway is { Silo: null, IsRefused: false, Attempt.IsCompleted: true })
                {
                    gateway.Attempt = Task.Run(() => ConnectAsync(address, gateway));
                }
            }
            foreach (var (address, gateway) in _gateways.Where(known => !listed.Contains(known.Key)).ToArray())
            {
                _gateways.Remove(address);
                if (gateway.Silo is { } silo)
                    _ = RetireAsync(silo);
            }
            return [.. _gateways.Values.Select(gateway => gateway.Attempt)];
        }
    }

    private async Task ConnectAsync(Uri address, Gateway gateway)
    {
        OrleansSilo silo;
        try
        {
            silo = await OrleansSilo.ConnectAsync(
                new IPEndPoint(IPAddress.Parse(address.Host), address.Port), _blockTimeout, _end.Token);
        }
        catch (Exception e)
        {
            gateway.Problem = e.Message.TrimEnd('.');
            return;
        }
        silo.Lost.Register(() => Forget(gateway, silo));
        lock (_lock)
        {
            if (WhyRefused(silo) is { } refusal)
            {
                Refuse(gateway, silo, refusal);
                return;
            }
            // It may be off the list again, or be gone.
            if (!_gateways.ContainsKey(address) || silo.Lost.IsCancellationRequested)
            {
                _ = silo.DisposeAsync().AsTask();
                return;
            }
            (gateway.Silo, gateway.Problem) = (silo, null);
            foreach (var join in _subscribers)
                join(silo);
        }
        _log($"Silo {silo.Name} scores.");
    }

    private string? WhyRefused(OrleansSilo silo)
    {
        var found = silo.Description;
        if (found.ModelHash != _modelHash)
            return $"silo {silo.Name}, which holds the model of SHA-256 {found.ModelHash}, expected {_modelHash}";
        return !_isAgreed || found.ChainCount == _chainCount ? null
            : $"silo {silo.Name}, which scores {ChainCounts.Describe(found.ChainCount)}, expected {ChainCounts.Describe(_chainCount)}";
    }

    private void Refuse(Gateway gateway, OrleansSilo silo, string refusal)
    {
        (gateway.Silo, gateway.Problem, gateway.IsRefused) = (null, refusal, true);
        _log($"Passes over {refusal}.");
        _ = silo.DisposeAsync().AsTask();
    }

    private void Forget(Gateway gateway, OrleansSilo silo)
    {
        lock (_lock)
        {
            if (gateway.Silo != silo)
                return;
            (gateway.Silo, gateway.Problem) = (null, $"the connection to silo {silo.Name} is broken");
        }
        if (!_end.IsCancellationRequested)
            _log($"Silo {silo.Name} is gone.");
        _ = silo.DisposeAsync().AsTask();
    }

    private async Task RetireAsync(OrleansSilo silo)
    {
        _log($"Silo {silo.Name} leaves.");
        silo.Retire();
        await Task.Delay(RetirementPatience, silo.Lost).ContinueWith(_ => { }, TaskScheduler.Default);
        await silo.DisposeAsync();
    }

    private sealed class Subscription(SiloRoster roster, Action<IScoringSilo> join) : IDisposable
    {
        public void Dispose()
        {
            lock (roster._lock)
                roster._subscribers.Remove(join);
        }
    }
}
