using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// A model inside an ML.NET zip: beside a component's own entry, <c>config.json</c>, a <c>chain-i.safetensors</c> for
/// each chain, adapters where the model has them, and the tokenizer's and other kept files as they were given.
/// </summary>
internal static class ModelEntries
{
    private const string ConfigName = "config.json";

    /// <summary>Writes the model's entries; the names of the files beside its weights go into the component's own.</summary>
    public static void Save(ZipWriter context, CoLMModel model)
    {
        context.SaveFile(ConfigName,
            stream => stream.Write(Encoding.UTF8.GetBytes(ConfigJson.Write(model.Config, model.DataType))));
        for (var chain = 0; chain < model.Config.ChainCount; chain++)
        {
            var written = chain;
            context.SaveFile(ChainName(chain), stream => ModelStream.WriteChain(model, written, stream));
        }
        AdapterEntry.Save(context, model.Adapters);
        var files = model.SideFiles;
        context.Writer.Write(files.Count);
        foreach (var (name, content) in files)
        {
            context.SaveString(name);
            context.SaveFile(name, stream => stream.Write(content));
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote, onto the environment's device.</summary>
    /// <exception cref="InvalidDataException">An entry is missing or broken.</exception>
    public static CoLMModel Load(IHostEnvironment environment, ZipReader context)
    {
        var device = HostSettings.DeviceOf(environment);
        var json = Encoding.UTF8.GetString(context.ReadAll(ConfigName, FileLimits.ConfigJson));
        var warnings = new List<string>();
        var config = ConfigJson.Read(json, ConfigName, warnings);
        var dtype = ConfigJson.ReadDataType(json, ConfigName);

        // Before memory is taken for the weights: their headers must be those that the configuration asks for.
        for (var chain = 0; chain < config.ChainCount; chain++)
        {
            var read = chain;
            context.Look(ChainName(chain), (stream, length) =>
                ModelStream.Open(config, read, stream, ChainName(read), length).Dispose());
        }
        var model = new CoLMModel(config, device, dtype);
        try
        {
            for (var chain = 0; chain < config.ChainCount; chain++)
            {
                var read = chain;
                context.Read(ChainName(chain), (stream, length) =>
                {
                    ModelStream.ReadChain(model, read, stream, ChainName(read), length);
                    return true;
                });
            }
            model.Adapters = AdapterEntry.Load(context, model);
            ReadSideFiles(context, model);
            model.GenerationEndTokenIds = model.KeptFiles.EndTokenIds(config.VocabularySize, "", warnings);
            model.Warnings = warnings;
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static string ChainName(int chain) => $"chain-{chain + 1}.safetensors";

    private static void ReadSideFiles(ZipReader context, CoLMModel model)
    {
        var files = new List<KeyValuePair<string, byte[]>>();
        for (var left = context.Reader.ReadInt32(); left > 0; left--)
        {
            var name = context.LoadNonEmptyString();
            if (files.Any(file => file.Key == name))
                throw new InvalidDataException($"The zip names the file '{name}' twice.");
            files.Add(new(name, context.ReadAll(name, LimitOf(name))));
        }
        var ofTokenizer = files.Where(file => ModelFiles.IsTokenizer(file.Key)).ToList();
        model.TokenizerFiles = ofTokenizer.Count == 0 ? null : new TokenizerFiles(ofTokenizer);
        model.KeptFiles = new KeptFiles([.. files.Where(file => !ModelFiles.IsTokenizer(file.Key))]);
    }

    private static long LimitOf(string name)
    {
        if (ModelFiles.IsTokenizer(name))
            return TokenizerFiles.LimitOf(name);
        return KeptFiles.IsOne(name) ? KeptFiles.LimitOf(name)
            : throw new InvalidDataException($"The zip has a file '{name}' beside its model, which no model has.");
    }
}
