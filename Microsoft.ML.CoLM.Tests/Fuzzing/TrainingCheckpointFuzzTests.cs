using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Checkpoints of a training that are not what they were, with and without checksums that say so.</summary>
[TestClass, DoNotParallelize]
public sealed class TrainingCheckpointFuzzTests
{
    private static readonly string[] Extensions = ["safetensors", "json", "sha256"];

    [TestMethod]
    [DataRow(500)]
    public void TrainingCheckpoints(int count)
    {
        using var source = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(source.Path));
        var last = ResumableTraining.Steps;
        var contents = Array.ConvertAll(Extensions, extension => File.ReadAllBytes(source[Name(last, extension)]));
        using var folder = new TemporaryFolder();
        Fuzzer.Run(nameof(TrainingCheckpoints), count, random =>
        {
            var (damaged, files) = (random.Next(3), (byte[][])contents.Clone());
            files[damaged] = damaged == 1 ? Mutation.OfJson(files[1], random) : Mutation.OfBytes(files[damaged], random);
            // Half of them by somebody who writes checksums, too.
            if (damaged < 2 && random.Next(2) == 0)
                files[2] = Sums(last, files);
            for (var i = 0; i < files.Length; i++)
                File.WriteAllBytes(folder[Name(last, Extensions[i])], files[i]);
            training.Run(ResumableTraining.Options(folder: null, options => options.ResumeFrom = folder.Path));
            return true;
        }, typeof(InvalidDataException), typeof(ArgumentException));
    }

    private static string Name(int step, string extension) =>
        string.Create(CultureInfo.InvariantCulture, $"checkpoint-{step}.{extension}");

    private static byte[] Sums(int step, byte[][] files) => Encoding.ASCII.GetBytes(string.Concat(
        Enumerable.Range(0, 2).Select(i => $"{Convert.ToHexStringLower(SHA256.HashData(files[i]))}  {Name(step, Extensions[i])}\n")));
}
