// Scores rows on an Orleans cluster. Without arguments it starts one, and compares with scoring here; see --help
using ClusterSample.Commands;
using Samples;

return await SampleCommand.RunAsync(ClusterCommand.Create(), args);
