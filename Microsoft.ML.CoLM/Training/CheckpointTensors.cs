using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The tensors of a training, each under its name in a checkpoint.</summary>
internal static class CheckpointTensors
{
    /// <summary>The tensors themselves: writing a checkpoint reads them, and resuming fills them.</summary>
    /// <param name="run">The run.</param>
    /// <param name="trained">What is trained, by name.</param>
    public static Dictionary<string, Tensor> Of(
        TrainingRun run, IReadOnlyList<(string Name, Parameter Parameter)> trained)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        var states = StatesOf(run.Optimizer);
        foreach (var (name, parameter) in trained)
        {
            var state = states[parameter];
            tensors.Add($"model.{name}", parameter);
            tensors.Add($"optimizer.exp_avg.{name}", state.exp_avg);
            tensors.Add($"optimizer.exp_avg_sq.{name}", state.exp_avg_sq);
        }
        var names = trained.ToDictionary(
            Tensor (entry) => entry.Parameter, entry => entry.Name, ReferenceEqualityComparer.Instance);
        foreach (var (parameter, copy) in run.Best.Copies)
            tensors.Add($"best.{names[parameter]}", copy);
        return tensors;
    }

    /// <summary>What the optimizer keeps of each parameter.</summary>
    public static Dictionary<Parameter, AdamW.State> StatesOf(AdamW optimizer) => optimizer.ParamGroups
        .Cast<AdamW.ParamGroup>()
        .SelectMany(group => group.Parameters)
        .Zip(optimizer.state_dict().State.Cast<AdamW.State>())
        .ToDictionary(Parameter (pair) => pair.First, pair => pair.Second, ReferenceEqualityComparer.Instance);
}
