// Which chain count? Sweeps those of a saved model, or searches for a model: see --help
using SweepSample;

// After Ctrl+C, the time for the row or the step that it is in.
return await Arguments.Command().Parse(args).InvokeAsync(new() { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
