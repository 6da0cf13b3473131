// Which chain count? Sweeps those of a saved model, or searches for a model: see --help
using Samples;
using SweepSample;

return await SampleCommand.RunAsync(Arguments.Command(), args);
