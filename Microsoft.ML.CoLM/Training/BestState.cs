using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The parameters at the validation with the smallest objective, to go back to at the end.</summary>
/// <param name="parameters">What is trained.</param>
/// <param name="keeps">Whether to keep the parameters, or the numbers alone.</param>
internal sealed class BestState(IReadOnlyList<Tensor> parameters, bool keeps) : IDisposable
{
    private ParameterSnapshot? _snapshot;

    /// <summary>The step after which it was; 0 before the first validation.</summary>
    public int Step { get; private set; }

    /// <summary>What that validation found.</summary>
    public Validation Found { get; private set; } = Validation.None;

    /// <summary>Validations since, none of which was better.</summary>
    public int Waited { get; private set; }

    /// <summary>Every parameter and its copy of that validation; empty where they are not kept, or not yet.</summary>
    public IEnumerable<(Tensor Parameter, Tensor Copy)> Copies => _snapshot?.Copies ?? [];

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
    public void Restore() => _snapshot?.Restore();

    public void Dispose() => _snapshot?.Dispose();

    private void Take()
    {
        if (!keeps)
            return;
        if (_snapshot is null)
            _snapshot = new ParameterSnapshot(parameters);
        else
            _snapshot.Take();
    }
}
