using System.CommandLine;
using Samples;

namespace ClusterSample.Commands;

/// <summary>The command line.</summary>
internal static class ClusterCommand
{
    public static RootCommand Create()
    {
        var command = new RootCommand(
            "Scores rows on an Orleans cluster whose silos hold one model each. Without arguments: trains a tiny model, starts " +
            "two silos, kills one of them in the middle, has a third join, and compares with scoring here.")
        {
            SiloCommand.Create(), ScoreCommand.Create(), MeasureCommand.Create(),
        };
        SampleCommand.SetAction(command, (_, cancellation) => Demo.RunAsync(cancellation).GetAwaiter().GetResult());
        return command;
    }
}
