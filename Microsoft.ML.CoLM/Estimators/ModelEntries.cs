using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// A model inside an ML.NET zip: beside a component's own entry, <c>config.json</c>, a <c>chain-i.safetensors</c> for
/// each chain, adapters where the model has them, and the tokenizer's files as they were given.
/// </summary>
internal static class ModelEntries
{
    private const string ConfigName = "config.json";

    /// <summary>Writes the model's entries; the names of the tokenizer's files go into the component's own.</summary>
    public static void Save(ModelSaveContext context, CoLMModel model)
    {
        context.SaveBinaryStream(ConfigName,
            writer => writer.Write(Encoding.UTF8.GetBytes(ConfigJson.Write(model.Config, model.DataType))));
        for (var chain = 0; chain < model.Config.ChainCount; chain++)
        {
            var written = chain;
            context.SaveBinaryStream(ChainName(chain),
                writer => ModelStream.WriteChain(model, written, writer.BaseStream));
        }
        AdapterEntry.Save(context, model.Adapters);
        var files = model.TokenizerFiles?.Files ?? [];
        context.Writer.Write(files.Count);
        foreach (var (name, content) in files)
        {
            context.SaveString(name);
            context.SaveBinaryStream(name, writer => writer.Write(content));
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote, onto the environment's device.</summary>
    /// <exception cref="InvalidDataException">An entry is missing or broken.</exception>
    public static CoLMModel Load(IHostEnvironment environment, ModelLoadContext context)
    {
        var device = HostSettings.DeviceOf(environment);
        var json = Encoding.UTF8.GetString(Read(context, ConfigName, ReadAll));
        var config = ConfigJson.Read(json, ConfigName);
        var dtype = ConfigJson.ReadDataType(json, ConfigName);

        // Before memory is taken for the weights: their headers must be those that the configuration asks for. ML.NET
        // extracts an entry when it is first opened, so opening it again costs nothing.
        for (var chain = 0; chain < config.ChainCount; chain++)
        {
            var read = chain;
            Read(context, ChainName(chain), reader =>
            {
                ModelStream.Open(config, read, reader.BaseStream, ChainName(read)).Dispose();
                return true;
            });
        }
        var model = new CoLMModel(config, device, dtype);
        try
        {
            for (var chain = 0; chain < config.ChainCount; chain++)
            {
                var read = chain;
                Read(context, ChainName(chain), reader =>
                {
                    ModelStream.ReadChain(model, read, reader.BaseStream, ChainName(read));
                    return true;
                });
            }
            model.Adapters = AdapterEntry.Load(context, model);
            var files = new List<KeyValuePair<string, byte[]>>();
            for (var left = context.Reader.ReadInt32(); left > 0; left--)
            {
                var name = context.LoadNonEmptyString();
                files.Add(new(name, Read(context, name, ReadAll)));
            }
            model.TokenizerFiles = files.Count == 0 ? null : new TokenizerFiles(files);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static string ChainName(int chain) => $"chain-{chain + 1}.safetensors";

    /// <summary>Reads an entry.</summary>
    /// <exception cref="InvalidDataException">It is missing.</exception>
    public static T Read<T>(ModelLoadContext context, string name, Func<BinaryReader, T> read)
    {
        T? result = default;
        if (!context.TryLoadBinaryStream(name, reader => result = read(reader)))
            throw new InvalidDataException($"The model's zip has no entry '{name}' in '{context.Directory}'.");
        return result!;
    }

    private static byte[] ReadAll(BinaryReader reader)
    {
        using var copy = new MemoryStream();
        reader.BaseStream.CopyTo(copy);
        return copy.ToArray();
    }
}
