using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>The task that a model was tuned for, which the model's folder keeps.</summary>
/// <param name="Settings">What it is, a JSON object; nothing here knows what it says.</param>
/// <param name="Head">Its own head, a module of the model; null where the task reads the language head.</param>
internal sealed record TunedTask(string Settings, ChainHead? Head)
{
    /// <summary>The same, with a copy of the head for another model of the same widths.</summary>
    public TunedTask CopyFor(CoLMModel model)
    {
        if (Head is null)
            return this;
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var copy = new ChainHead(model.Config, (int)Head.Weight(0).size(0), model.Device, Head.Pooling);
        for (var chain = 0; chain < copy.ChainCount; chain++)
            copy.Weight(chain).copy_(Head.Weight(chain));
        return this with { Head = copy };
    }
}
