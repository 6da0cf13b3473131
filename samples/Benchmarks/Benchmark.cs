using System.CommandLine;
using Microsoft.ML.CoLM.Interop;

namespace Benchmarks;

/// <summary>A command that measures and reports: on the console and, with <c>--json</c>, to a file.</summary>
internal abstract class Benchmark : Command
{
    private readonly Option<FileInfo> _json = new("--json")
    {
        Description = "file for the figures, as JSON",
        HelpName = "FILE",
    };

    protected Benchmark(string name, string description) : base(name, description)
    {
        SetAction(result =>
        {
            TorchLibrary.EnsureLoaded();
            if (Measure(result) is not { } report)
                return;
            report.Print();
            if (result.GetValue(_json) is { } file)
                report.Save(file);
        });
    }

    /// <summary>Adds the command's options, in the order in which its help shows them.</summary>
    protected void Offer(params ReadOnlySpan<Option> options)
    {
        foreach (var option in options)
            Options.Add(option);
        Options.Add(_json);
    }

    /// <returns>What is to be shown; null where there is nothing.</returns>
    protected abstract Report? Measure(ParseResult result);
}
