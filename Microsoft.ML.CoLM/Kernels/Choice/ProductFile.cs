using System.IO.Hashing;
using System.Text;
using Microsoft.ML.CoLM.Interop;
using TorchSharp;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What was found to multiply best on a machine: a file of two lines, the machine's key and what multiplies.</summary>
/// <param name="folder">Where it lies; made when it is written.</param>
/// <param name="key">What the finding depends on; another machine, or another version, has another file.</param>
internal sealed class ProductFile(string folder, string key)
{
    private const int LongestKey = 1000;

    // What limits the libraries' kernels, and so changes which is the fastest.
    private static readonly string[] Variables = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"];

    private readonly string _path = Path.Combine(
        folder, FormattableString.Invariant($"products-{XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(key)):x16}.txt"));

    /// <summary>The file of this user, machine and version; null where a user has no folder for such.</summary>
    public static ProductFile? OfUser()
    {
        var data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return data.Length == 0 ? null : new(Path.Combine(data, "Microsoft.ML.CoLM"), KeyOfMachine());
    }

    /// <summary>What it holds; null where there is none, or none of this key.</summary>
    public MatrixProducts? Read()
    {
        try
        {
            var lines = Encoding.UTF8.GetString(BoundedFile.ReadAllBytes(_path, 2 * LongestKey)).Split('\n');
            return lines is [var found, var products, ..] && found == key ? MatrixProducts.TryParse(products) : null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Measures and keeps what was found, unless another process does so meanwhile, which is waited for.</summary>
    /// <param name="measure">Finds what multiplies best; not called where it could not be kept.</param>
    /// <returns>What the file holds then; null where it cannot be written.</returns>
    public MatrixProducts? Keep(Func<MatrixProducts> measure)
    {
        var unfinished = $"{_path}{UnfinishedFile.Suffix}";
        try
        {
            Directory.CreateDirectory(folder);
            using var held = FolderLock.Take(folder, isNeeded: () => Read() is null);
            if (held is null || Read() is not null)
                return Read();
            File.Delete(unfinished); // of a process that was killed
            MatrixProducts? found = null;
            UnfinishedFile.Write(unfinished, stream => stream.Write(Encoding.UTF8.GetBytes($"{key}\n{found = measure()}\n")));
            UnfinishedFile.Finish(unfinished, _path);
            return found;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Read();
        }
    }

    private static string KeyOfMachine()
    {
        string[] parts =
        [
            Processor.Name,
            FormattableString.Invariant($"vectors of {VectorWidth.Floats}"),
            $"libtorch {torch.__version__}",
            $"Microsoft.ML.CoLM {typeof(ProductFile).Assembly.GetName().Version}",
            .. Variables.Select(name => (Name: name, Value: Environment.GetEnvironmentVariable(name)))
                .Where(variable => variable.Value is { Length: > 0 }).Select(variable => $"{variable.Name}={variable.Value}"),
        ];
        var text = string.Join(", ", parts).ReplaceLineEndings(" ");
        return text.Length <= LongestKey / 4 ? text : text[..(LongestKey / 4)];
    }
}
