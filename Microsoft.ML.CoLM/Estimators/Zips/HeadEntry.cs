using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A task's head inside an ML.NET zip.</summary>
internal static class HeadEntry
{
    private const string Name = "head.safetensors";

    public static void Save(ZipWriter context, ChainHead head) => ModuleEntry.Save(context, Name, head);

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="context">The zip.</param>
    /// <param name="model">The zip's model.</param>
    /// <param name="outputCount">Outputs that the task has; memory is taken only where the file has as many.</param>
    /// <param name="pooling">What it reads of a text's tokens.</param>
    /// <exception cref="InvalidDataException">The head is damaged, or not the task's.</exception>
    public static ChainHead Load(ZipReader context, CoLMModel model, int outputCount, FeaturePooling pooling) =>
        ModuleEntry.Load(context, Name, file =>
        {
            for (var chain = 0; chain < model.Config.ChainCount; chain++)
                ModuleEntry.Find(file, ParameterName.OfChain(chain), [outputCount, model.Config.Hidden(chain)]);
            return new ChainHead(model.Config, outputCount, model.Device, pooling);
        });
}
