using System.Buffers.Binary;
using System.Text;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Folders whose <c>task-head.safetensors</c> is not that of their model, or nobody's.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongTunedFolderTests
{
    private const string TaskHead = "task-head.safetensors";

    private static readonly Dictionary<string, (string From, string To, string[] Expected)> Tensors = new()
    {
        ["another hidden size"] = ("[3,16]", "[6,8]", ["chain_1", "[6, 16]", "[6, 8]"]),
        ["no outputs"] = ("[3,16]", "[16,3]", ["chain_1", "[16, 16]", "[16, 3]"]),
        ["three sizes"] = ("[3,16]", "[3,4,4]", ["chain_1", "[outputs, 16]", "[3, 4, 4]"]),
        ["more outputs than any file has"] = ("[3,16]", "[4294967296,16]", ["chain_1", "4294967296"]),
        ["another chain"] = ("chain_2", "chain_3", ["chain_2", "missing"]),
        ["another name"] = ("chain_2", "score_2", ["chain_2", "missing"]),
        ["another type"] = ("\"F32\"", "\"I32\"", ["chain_1", "I32"]),
        ["no settings"] = ("colm_task", "some_text", ["colm_task"]),
    };

    private static readonly Dictionary<string, (string From, string To, string[] Expected)> Settings = new()
    {
        ["no JSON"] = ("{\"version\"", "{version", ["JSON"]),
        ["no object"] = ("{\"version\"", "[] //", ["JSON"]),
        ["another version"] = ("\"version\":1", "\"version\":2", ["version", "1", "2"]),
        ["no version"] = ("\"version\"", "\"revision\"", ["version", "missing"]),
        ["an unknown task"] = ("multiclass_classification", "token_classification", ["task", "token_classification"]),
        ["a task of two classes"] = ("multiclass_classification", "binary_classification", ["2 outputs", "3"]),
        ["a task without a head"] = ("multiclass_classification\",", "completion\",\"template\":\"{0}{1}\",", ["text_columns"]),
        ["a task of language heads"] = ("multiclass_classification", "language_modeling", ["0 outputs", "3"]),
        ["no columns"] = ("[\"Text\"]", "[]", ["text_columns"]),
        ["an empty column"] = ("[\"Text\"]", "[\"\"]", ["text_columns"]),
        ["a column twice"] = ("[\"Text\"]", "[\"Text\",\"Text\"]", ["text_columns"]),
        ["three columns"] = ("[\"Text\"]", "[\"A\",\"B\",\"C\"]", ["text_columns", "[A, B, C]"]),
        ["columns that are numbers"] = ("[\"Text\"]", "[1]", ["text_columns"]),
        ["no length"] = ("\"max_length\":32,", "", ["max_length", "missing"]),
        ["a length of 0"] = ("\"max_length\":32", "\"max_length\":0", ["max_length", "64", "0"]),
        ["a length beyond the context"] = ("\"max_length\":32", "\"max_length\":65", ["max_length", "64", "65"]),
        ["a length that is no number"] = ("\"max_length\":32", "\"max_length\":1e99", ["max_length"]),
        ["fewer classes"] = (",\"hot\"]", "]", ["2 outputs", "3"]),
        ["no classes"] = ("[\"cold\",\"warm\",\"hot\"]", "[]", ["classes"]),
        ["foreign classes"] = ("\"String\"", "\"Int32\"", ["classes", "Int32", "cold"]),
        ["classes of an unknown type"] = ("\"String\"", "\"Colour\"", ["class_type", "Colour"]),
        ["any number of classes"] = (",\"classes\":[\"cold\",\"warm\",\"hot\"]", ",\"class_count\":2147483647", ["class_count"]),
        ["half a surrogate pair"] = ("cold", "\\ud800", ["JSON"]),
    };

    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object[]> TensorChanges => Tensors.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> SettingsChanges => Settings.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(TensorChanges))]
    public void AHeadThatIsNotTheModelsIsRefusedByName(string name)
    {
        using var folder = Saved();
        var (from, to, expected) = Tensors[name];
        ChangeHeader(folder[TaskHead], header => Replace(header, from, to));
        IsRefused(() => CoLMModel.Load(folder.Path), folder, expected);
        IsRefused(() => Read(folder), folder, expected);
    }

    [TestMethod]
    [DynamicData(nameof(SettingsChanges))]
    public void SettingsOfNoTaskAreRefusedByName(string name)
    {
        using var folder = Saved();
        var (from, to, expected) = Settings[name];
        ChangeHeader(folder[TaskHead], header => Replace(header, Quoted(from), Quoted(to)));
        IsRefused(() => Read(folder), folder, expected);
        // Whoever asks for another task does not need them.
        _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = folder.Path,
            Task = ScoringTask.Features,
        }).Fit(_mlContext.Labelled()).Dispose();
    }

    [TestMethod]
    public void AHeadThatIsNotFiniteIsRefusedByName()
    {
        using var folder = Saved();
        var bytes = File.ReadAllBytes(folder[TaskHead]);
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(^4..), float.NaN);
        File.WriteAllBytes(folder[TaskHead], bytes);
        IsRefused(() => CoLMModel.Load(folder.Path), folder, ["chain_2", "NaN"]);
        IsRefused(() => Read(folder), folder, ["chain_2", "NaN"]);
    }

    [TestMethod]
    public void AFileThatIsCutAnywhereIsRefusedByName()
    {
        using var folder = Saved();
        var bytes = File.ReadAllBytes(folder[TaskHead]);
        foreach (var length in (int[])[0, 7, 8, 100, bytes.Length / 2, bytes.Length - 1])
        {
            File.WriteAllBytes(folder[TaskHead], bytes[..length]);
            IsRefused(() => CoLMModel.Load(folder.Path), folder, []);
        }
        File.WriteAllBytes(folder[TaskHead], [.. bytes, 0]);
        IsRefused(() => CoLMModel.Load(folder.Path), folder, []);
    }

    private ElasticScoringTransformer Read(TemporaryFolder folder) =>
        _mlContext.Transforms.ElasticScoring(folder.Path).Fit(_mlContext.Labelled());

    private static void IsRefused(Func<IDisposable> load, TemporaryFolder folder, string[] expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => load().Dispose());
        foreach (var part in (string[])[folder[TaskHead], .. expected])
            StringAssert.Contains(error.Message, part);
    }

    private static TemporaryFolder Saved()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = mlContext.Scorer(model);
        using var tuned = mlContext.Tune(Tuning.Steps(source, steps: 1));
        var folder = new TemporaryFolder();
        tuned.Model.Save(folder.Path);
        return folder;
    }

    // As a JSON text inside of a JSON text has it.
    private static string Quoted(string json) => System.Text.Json.JsonSerializer.Serialize(json)[1..^1];

    private static string Replace(string header, string from, string to)
    {
        StringAssert.Contains(header, from);
        var place = header.IndexOf(from, StringComparison.Ordinal);
        return string.Concat(header.AsSpan(0, place), to, header.AsSpan(place + from.Length));
    }

    private static void ChangeHeader(string path, Func<string, string> change)
    {
        var bytes = File.ReadAllBytes(path);
        var length = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var header = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(bytes, sizeof(long), length)));
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. header, .. bytes[(sizeof(long) + length)..]]);
    }
}
