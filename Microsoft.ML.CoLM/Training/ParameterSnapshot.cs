using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>A copy of parameters, to put them back after a step that spoiled them.</summary>
internal sealed class ParameterSnapshot : IDisposable
{
    private readonly Tensor[] _parameters;
    private readonly Tensor[] _copies;

    public ParameterSnapshot(IEnumerable<Tensor> parameters)
    {
        using var scope = NewDisposeScope();
        _parameters = [.. parameters];
        _copies = Array.ConvertAll(_parameters, parameter => parameter.detach().clone().DetachFromDisposeScope());
    }

    /// <summary>Every parameter and its copy.</summary>
    public IEnumerable<(Tensor Parameter, Tensor Copy)> Copies => _parameters.Zip(_copies);

    public void Take() => Copy(_parameters, _copies);

    public void Restore() => Copy(_copies, _parameters);

    public void Dispose() => Array.ForEach(_copies, copy => copy.Dispose());

    private static void Copy(Tensor[] from, Tensor[] to)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        for (var i = 0; i < from.Length; i++)
            to[i].copy_(from[i]);
    }
}
