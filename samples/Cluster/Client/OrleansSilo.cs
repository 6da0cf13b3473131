using System.Net;
using ClusterSample.Contracts;
using ClusterSample.Membership;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;

namespace ClusterSample.Client;

/// <summary>
/// A silo by a client of its own. A client of the whole cluster would choose the silo by the grain's hash, whatever each has to
/// do, and would wait for an answer of one that is dead until the time for it is over; this one sees its connection break.
/// </summary>
internal sealed class OrleansSilo : IScoringSilo, IAsyncDisposable
{
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromSeconds(10);

    private readonly IHost _host;
    private readonly IScoringGrain _grain;
    private readonly CancellationTokenSource _lost;
    private readonly CancellationTokenSource _retired;

    private OrleansSilo(IHost host, IScoringGrain grain, SiloDescription description, CancellationTokenSource lost)
    {
        (_host, _grain, Description, _lost) = (host, grain, description, lost);
        _retired = CancellationTokenSource.CreateLinkedTokenSource(lost.Token);
    }

    public SiloDescription Description { get; }

    public string Name => Description.Name;

    public CancellationToken Retired => _retired.Token;

    /// <summary>Cancelled when its connection is broken.</summary>
    public CancellationToken Lost => _lost.Token;

    /// <summary>Connects to it, and asks what it is.</summary>
    /// <param name="gateway">Where it takes clients.</param>
    /// <param name="blockTimeout">How long a block may take, waiting for the one before included.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="ScoringUnavailableException">Nothing answers there.</exception>
    public static async Task<OrleansSilo> ConnectAsync(IPEndPoint gateway, TimeSpan blockTimeout, CancellationToken cancellationToken)
    {
        var lost = new CancellationTokenSource();
        var host = new HostBuilder().UseOrleansClient(client => client
            .Configure<ClusterOptions>(ClusterMembership.Name)
            .Configure<ClientMessagingOptions>(options => options.ResponseTimeout = blockTimeout)
            .UseStaticClustering(gateway)
            .AddClusterConnectionLostHandler((_, _) => lost.CancelAsync())).Build();
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(ConnectPatience);
            await host.StartAsync(patience.Token).WaitAsync(patience.Token);
            // Stateless workers are local: the gateway's own silo answers.
            var grain = host.Services.GetRequiredService<IClusterClient>().GetGrain<IScoringGrain>(0);
            var description = await grain.Describe().WaitAsync(patience.Token);
            return new(host, grain, description, lost);
        }
        catch (Exception e)
        {
            Discard(host);
            if (cancellationToken.IsCancellationRequested)
                throw;
            throw new ScoringUnavailableException(e is OperationCanceledException
                ? FormattableString.Invariant($"{gateway} does not answer within {ConnectPatience.TotalSeconds} s")
                : $"{gateway} does not answer: {Innermost(e).Message}", e);
        }
    }

    public async Task<ScoredBlock> ScoreAsync(InputBlock block, CancellationToken cancellationToken)
    {
        ScoringAnswer answer;
        using (var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Lost))
        {
            try
            {
                answer = await _grain.Score(block.Request, both.Token).WaitAsync(both.Token);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new ScoringUnavailableException(
                    Lost.IsCancellationRequested ? $"silo {Name} is gone." : $"silo {Name}: {Innermost(e).Message}", e);
            }
        }
        return answer.Outcome switch
        {
            ScoringOutcome.Scored => new(answer.SiloName, answer.Scores),
            ScoringOutcome.Refused => throw new ScoringUnavailableException(answer.Error!),
            _ => throw RowsFailedException.Of(block, answer.Error!),
        };
    }

    /// <summary>Has it finish what it has, and gives it no more.</summary>
    public void Retire() => _retired.Cancel();

    /// <summary>Gives it up.</summary>
    public async ValueTask DisposeAsync()
    {
        await _lost.CancelAsync();
        Discard(_host);
    }

    // A client whose silo is gone takes its time to stop, which nobody waits for.
    private static void Discard(IHost host) => _ = Task.Run(async () =>
    {
        try
        {
            await host.StopAsync(new CancellationToken(canceled: true));
        }
        catch (Exception)
        {
            // It was of no use any more.
        }
        finally
        {
            await ((IAsyncDisposable)host).DisposeAsync();
        }
    });

    private static Exception Innermost(Exception error) => error.InnerException is { } inner ? Innermost(inner) : error;
}
