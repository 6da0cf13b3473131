namespace ClusterSample.Silo;

/// <summary>Ends a process whose parent, which holds its standard input open, has ended in whatever way.</summary>
internal static class EndOfInput
{
    // For a silo to leave its cluster.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Watches standard input.</summary>
    /// <returns>Cancelled when it ends; some time later the process ends in any case.</returns>
    public static CancellationToken Watch()
    {
        var ended = new CancellationTokenSource();
        new Thread(() =>
        {
            while (Console.ReadLine() is not null)
            {
            }
            ended.Cancel();
            Thread.Sleep(Patience);
            Environment.Exit(1);
        })
        { IsBackground = true, Name = "End of input" }.Start();
        return ended.Token;
    }
}
