using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Says on a host's channel what loading a model passed over.</summary>
internal static class LoadWarnings
{
    public static void Report(IHost host, CoLMModel model)
    {
        if (model.Warnings.Count == 0)
            return;
        using var channel = host.Start("Loading");
        foreach (var warning in model.Warnings)
            channel.Warning(warning);
    }
}
