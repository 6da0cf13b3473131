using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A model's adapters inside an ML.NET zip: their settings in the component's entry, their weights in another.</summary>
internal static class AdapterEntry
{
    private const string Name = "adapters.safetensors";

    public static void Save(ZipWriter context, LowRankAdapters? adapters)
    {
        context.Writer.Write(adapters is not null);
        if (adapters is null)
            return;
        context.Writer.Write(adapters.FirstChain);
        context.Writer.Write(adapters.Lora.Rank);
        context.Writer.Write(adapters.Lora.Alpha);
        context.Writer.Write(adapters.Lora.Dropout);
        context.Writer.Write((int)adapters.Lora.Projections);
        ModuleEntry.Save(context, Name, adapters);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">The adapters are damaged, or not the model's.</exception>
    public static LowRankAdapters? Load(ZipReader context, CoLMModel model)
    {
        if (!context.Reader.ReadBoolean())
            return null;
        var firstChain = context.Reader.ReadInt32();
        var lora = new LoraOptions
        {
            Rank = context.Reader.ReadInt32(),
            Alpha = context.Reader.ReadDouble(),
            Dropout = context.Reader.ReadDouble(),
            Projections = (LoraProjections)context.Reader.ReadInt32(),
        };
        try
        {
            ArgumentOutOfRangeException.ThrowIfNegative(firstChain);
            lora.Check();
            lora.CheckFits(model, firstChain);
        }
        catch (ArgumentException e)
        {
            throw new InvalidDataException($"The zip's adapters are damaged: {e.Message}", e);
        }
        return ModuleEntry.Load(context, Name, _ => new LowRankAdapters(model, firstChain, lora));
    }
}
