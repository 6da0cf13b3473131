using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A module's parameters as a safetensors entry of an ML.NET zip.</summary>
internal static class ModuleEntry
{
    public static void Save(ZipWriter context, string name, nn.Module module) =>
        context.SaveFile(name, stream => SafetensorsWriter.Write(stream, module.named_parameters()
            .Select(entry => new KeyValuePair<string, Tensor>(entry.name, entry.parameter))));

    /// <summary>Reads a module.</summary>
    /// <param name="context">The zip.</param>
    /// <param name="name">The entry.</param>
    /// <param name="create">Makes the module, without values, for a file that was found to be whole.</param>
    /// <exception cref="InvalidDataException">The entry is missing or damaged, or holds other tensors.</exception>
    public static T Load<T>(ZipReader context, string name, Func<SafetensorsReader, T> create)
        where T : nn.Module
    {
        return context.Read(name, (stream, length) =>
        {
            using var file = new SafetensorsReader(stream, name, length);
            var module = create(file);
            try
            {
                Fill(file, module);
                return module;
            }
            catch
            {
                module.Dispose();
                throw;
            }
        });
    }

    private static void Fill(SafetensorsReader file, nn.Module module)
    {
        var parameters = module.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        SafetensorsEntry[] entries = [.. parameters
            .Select(parameter => Find(file, parameter.Key, parameter.Value.shape)).OrderBy(entry => entry.Begin)];
        if (file.Entries.FirstOrDefault(entry => !parameters.ContainsKey(entry.Name)) is { } other)
            throw new InvalidDataException($"{file.Source}: tensor '{other.Name}' belongs to nothing here.");
        foreach (var entry in entries)
            file.Read(entry, parameters[entry.Name]);
        file.CheckEnd();
    }

    /// <summary>A tensor of a file, which must have a shape.</summary>
    /// <exception cref="InvalidDataException">It is missing, or has another.</exception>
    public static SafetensorsEntry Find(SafetensorsReader file, string name, long[] shape)
    {
        var entry = file.Find(name) ?? throw new InvalidDataException($"{file.Source}: tensor '{name}' is missing.");
        if (!entry.Shape.AsSpan().SequenceEqual(shape) || !entry.Type.IsWeight)
        {
            throw new InvalidDataException($"{file.Source}: tensor '{name}' must be of shape {ErrorText.Shape(shape)}, " +
                $"found {ErrorText.Shape(entry.Shape)} of {entry.Type.Name}.");
        }
        return entry;
    }
}
