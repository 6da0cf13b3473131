using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The tensors of a training, each under its name in a checkpoint.</summary>
/// <remarks>
/// Weights and what the optimizer keeps of them are in float32, whatever the model's type is; the best validation's weights,
/// which are not trained any further, are in the model's.
/// </remarks>
internal static class CheckpointTensors
{
    /// <summary>The tensors themselves: writing a checkpoint reads them, and resuming fills them.</summary>
    /// <param name="run">The run.</param>
    /// <param name="trained">What is trained, by name.</param>
    public static Dictionary<string, Tensor> Of(
        TrainingRun run, IReadOnlyList<(string Name, Parameter Parameter)> trained)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, parameter) in Named(run, trained))
        {
            tensors.Add($"model.{name}", parameter.Weights);
            tensors.Add($"optimizer.exp_avg.{name}", parameter.Mean);
            tensors.Add($"optimizer.exp_avg_sq.{name}", parameter.MeanSquare);
        }
        var names = trained.ToDictionary(
            Tensor (entry) => entry.Parameter, entry => entry.Name, ReferenceEqualityComparer.Instance);
        foreach (var (parameter, copy) in run.Best.Copies)
            tensors.Add($"best.{names[parameter]}", copy);
        return tensors;
    }

    /// <summary>What a run trains, by the names that it has in a checkpoint.</summary>
    public static IEnumerable<(string Name, TrainedParameter Parameter)> Named(
        TrainingRun run, IEnumerable<(string Name, Parameter Parameter)> trained)
    {
        var parameters = run.Parameters.ToDictionary(
            Tensor (parameter) => parameter.Parameter, ReferenceEqualityComparer.Instance);
        return trained.Select(entry => (entry.Name, parameters[entry.Parameter]));
    }
}
