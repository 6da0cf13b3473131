using System.Text.RegularExpressions;

namespace Microsoft.ML.CoLM.Interop;

/// <summary>Says of what was given as a model's folder, and is none, what it is and what to do with it.</summary>
internal static partial class GivenFolder
{
    private const int MostNames = 5;
    private const string Layout = "a folder with config.json, model.safetensors and a tokenizer";

    /// <summary>Refuses what is no folder at all.</summary>
    /// <exception cref="ArgumentException">The path is empty, or has a NUL character.</exception>
    /// <exception cref="DirectoryNotFoundException">It leads to a file, or to nothing.</exception>
    public static void Check(string folder)
    {
        CheckIsNamed(folder, nameof(folder));
        if (!Directory.Exists(folder))
            throw new DirectoryNotFoundException(Path.Exists(folder) ? OfFile(folder) : OfNothing(folder));
    }

    /// <summary>Refuses a path that can name nothing.</summary>
    /// <exception cref="ArgumentException">The path is empty, or has a NUL character.</exception>
    public static void CheckIsNamed(string folder, string parameterName)
    {
        ArgumentNullException.ThrowIfNull(folder, parameterName);
        if (string.IsNullOrWhiteSpace(folder))
        {
            throw new ArgumentException(
                $"The path of the model's folder is empty. Give the path of {Layout}.", parameterName);
        }
        if (folder.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("The path of the model's folder has a NUL character, which no path has: " +
                $"'{folder.Replace("\0", "\\0", StringComparison.Ordinal)}'.", parameterName);
        }
    }

    /// <summary>
    /// What a folder seems to be that lacks something, and what to do; it begins with a space, and is empty where nothing
    /// is known.
    /// </summary>
    public static string Advice(string folder)
    {
        try
        {
            return Look(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // a folder that may not be listed: what was found without is told
        }
    }

    private static string Look(string folder)
    {
        string[] files = [.. Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file))
            .Order(StringComparer.Ordinal)];
        if (files.Any(name => CheckpointPattern().IsMatch(name)))
        {
            return " It has the checkpoints of a training: name it in ResumeFrom to go on with that training; a model " +
                "is written by CoLMModel.Save.";
        }
        if (Directory.Exists(Path.Combine(folder, "snapshots")))
        {
            var snapshot = Directory.EnumerateDirectories(Path.Combine(folder, "snapshots"))
                .Order(StringComparer.Ordinal).FirstOrDefault();
            return $" It is a model's folder in Hugging Face's cache: give the one in 'snapshots' in it" +
                $"{(snapshot is null ? "" : $", '{snapshot}'")}.";
        }
        if (files.Contains("adapter_config.json"))
        {
            return " It has adapters without their model: merge them with peft's merge_and_unload(), and save that.";
        }
        var gguf = files.Where(name => HasExtension(name, ".gguf")).ToArray();
        var pickled = files.Where(name => HasExtension(name, ".bin", ".pth", ".pt", ".ckpt")).ToArray();
        if (gguf.Length > 0)
            return $" Only safetensors are read, not GGUF ({Some(gguf)}): take the model that it was made from.";
        if (pickled.Length > 0)
        {
            return $" Only safetensors are read, not PyTorch's own files ({Some(pickled)}): load the folder with " +
                "transformers' from_pretrained and write it with save_pretrained.";
        }
        string[] inside = [.. Directory.EnumerateDirectories(folder)
            .Where(inner => File.Exists(Path.Combine(inner, "config.json"))).Order(StringComparer.Ordinal)];
        return inside.Length == 0 || files.Contains("config.json") ? ""
            : $" A folder in it has one: '{string.Join("', '", inside.Take(MostNames))}'.";
    }

    private static string OfFile(string path)
    {
        var parent = Path.GetDirectoryName(Path.GetFullPath(path));
        if (HasExtension(path, ".zip"))
            return $"'{path}' is a zip, not a model folder. What ML.NET saved is loaded by mlContext.CoLM().Load, or mlContext.Model.Load.";
        if (HasExtension(path, ".gguf"))
        {
            return $"'{path}' is a file of llama.cpp's, which is not read. Give the folder of the model that it was made " +
                $"from: {Layout}.";
        }
        if (HasExtension(path, ".bin", ".pth", ".pt", ".ckpt"))
        {
            return $"'{path}' is a file of PyTorch's own format, which is not read. Load the model with transformers' " +
                $"from_pretrained, write it with save_pretrained, and give that folder.";
        }
        return HasExtension(path, ".safetensors", ".json", ".model")
            ? $"'{path}' is a file of a model. Give the folder that it is in, '{parent}'."
            : $"'{path}' is a file, not a model folder. Give the path of {Layout}.";
    }

    private static string OfNothing(string path)
    {
        var missing = $"There is no model folder '{path}' (in '{Environment.CurrentDirectory}').";
        return HubNamePattern().IsMatch(path)
            ? $"{missing} If that is a model's name on Hugging Face's hub: models are not fetched. Get it with " +
                $"'hf download {path} --local-dir {path[(path.IndexOf('/', StringComparison.Ordinal) + 1)..]}' and give " +
                "the folder that this makes."
            : missing;
    }

    private static bool HasExtension(string path, params ReadOnlySpan<string> extensions)
    {
        foreach (var extension in extensions)
        {
            if (path.EndsWith(extension, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static string Some(string[] names) =>
        string.Join(", ", names.Take(MostNames)) + (names.Length > MostNames ? ", ..." : "");

    [GeneratedRegex(@"^checkpoint-[0-9]+\.(safetensors|json|sha256)\z", RegexOptions.CultureInvariant)]
    private static partial Regex CheckpointPattern();

    [GeneratedRegex(@"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex HubNamePattern();
}
