using Microsoft.ML.CoLM.Evaluation;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The parameters at the validation with the smallest objective, to go back to at the end.</summary>
/// <param name="parameters">What is trained, in the model's own type.</param>
/// <param name="keeps">Whether to keep the parameters, or the numbers alone.</param>
internal sealed class BestState(IReadOnlyList<Tensor> parameters, bool keeps) : IDisposable
{
    private readonly List<Tensor> _copies = [];

    /// <summary>The step after which it was; 0 before the first validation.</summary>
    public int Step { get; private set; }

    /// <summary>What that validation found.</summary>
    public Validation Found { get; private set; } = Validation.None;

    /// <summary>Validations since, none of which was better.</summary>
    public int Waited { get; private set; }

    /// <summary>Every parameter and its copy of that validation; empty where they are not kept, or not yet.</summary>
    public IEnumerable<(Tensor Parameter, Tensor Copy)> Copies => parameters.Take(_copies.Count).Zip(_copies);

    /// <summary>Takes note of a validation.</summary>
    public void Add(int step, Validation found)
    {
        if (Step > 0 && !(found.Objective < Found.Objective))
        {
            Waited++;
            return;
        }
        (Step, Found, Waited) = (step, found, 0);
        Take();
    }

    /// <summary>Goes to where a checkpoint was; what the copies hold is then the caller's to fill in.</summary>
    public void Restore(int step, Validation found, int waited)
    {
        (Step, Found, Waited) = (step, found, waited);
        if (step > 0)
            Take();
    }

    /// <summary>Puts the parameters back.</summary>
    public void Restore()
    {
        foreach (var (parameter, copy) in Copies)
            Copy(copy, parameter);
    }

    public void Dispose() => _copies.ForEach(copy => copy.Dispose());

    private void Take()
    {
        if (!keeps)
            return;
        if (_copies.Count == 0)
            _copies.AddRange(parameters.Select(parameter => empty_like(parameter).DetachFromDisposeScope()));
        foreach (var (parameter, copy) in Copies)
            Copy(parameter, copy);
    }

    private static void Copy(Tensor from, Tensor to)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        to.copy_(from);
    }
}
