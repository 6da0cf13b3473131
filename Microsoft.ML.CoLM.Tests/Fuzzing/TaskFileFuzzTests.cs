using System.Text;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Published tasks' files that are not what they were.</summary>
[TestClass, DoNotParallelize]
public sealed class TaskFileFuzzTests : IDisposable
{
    private const string Labels = "1\n0\n";

    private static readonly (LanguageBenchmark Task, string[] Items)[] Objects =
    [
        (LanguageBenchmark.HellaSwag, [
            """{"activity_label": "Ice", "ctx_a": "A man.", "ctx_b": "he [title] é", "endings": ["a [x] b", "c", "d", "e"], "label": 3}""",
            """{"activity_label": "", "ctx_a": "", "ctx_b": "", "endings": ["a", "b", "c", "d"], "label": "0"}"""]),
        (LanguageBenchmark.OpenBookQA, [
            """{"question": {"stem": "s", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "answerKey": "B"}""",
            """{"question_stem": "s", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "A"}"""]),
        (LanguageBenchmark.ArcEasy, [
            """{"question": {"stem": "s", "choices": [{"text": "a", "label": "1"}, {"text": "b", "label": "2"}]}, "answerKey": "2"}""",
            """{"question": "s", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "3"}"""]),
        (LanguageBenchmark.WinoGrande, [
            """{"sentence": "A saw B since _ was \u00e9.", "option1": "A", "option2": "B", "answer": "1"}""",
            """{"sentence": "_ _ _", "option1": "A", "option2": "B", "answer": "2"}"""]),
        (LanguageBenchmark.BoolQ, [
            """{"question": "is it", "passage": "It is.", "answer": true}""",
            """{"question": "is it", "passage": "It is.", "label": 0}"""]),
        (LanguageBenchmark.Piqa, [
            """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""", """{"goal": "h", "sol1": "c", "sol2": "d", "label": 0}"""]),
        (LanguageBenchmark.SciQ, [
            """{"question": "q", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d", "support": " s"}""",
            """{"question": "q", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d", "support": ""}"""]),
        (LanguageBenchmark.Mnli, [
            """{"premise": "p", "hypothesis": "h", "label": 2, "idx": 0}""", """{"premise": "p", "hypothesis": "h.", "label": "neutral"}"""]),
        (LanguageBenchmark.StsB, [
            """{"sentence1": "p", "sentence2": "h", "label": 2.5}""", """{"sentence1": "p", "sentence2": "h", "label": "5.0"}"""]),
    ];

    private static readonly (LanguageBenchmark Task, string Table)[] Tables =
    [
        (LanguageBenchmark.Cola, "gj04\t1\t\tA \"b.\ngj04\t0\t*\tB é c.\n"),
        (LanguageBenchmark.Sst2, "\uFEFFsentence\tlabel\r\na fine film \t1\r\nnone \t0\r\n\r\n"),
        (LanguageBenchmark.Qqp, "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\ta?\tb?\t1\n1\t3\t4\tcut\n2\t3\t4\tc\td\t0\n"),
        (LanguageBenchmark.Rte, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n"),
        (LanguageBenchmark.StsB, "index\tsentence1\tsentence2\tscore\n0\ta\tb\t1.25\n1\tc\td\t5.000\n"),
    ];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void WhatIsNotChangedIsTakenForWhole()
    {
        foreach (var (task, items) in Objects)
            Assert.IsTrue(Read(task, Encoding.UTF8.GetBytes(string.Join('\n', items))));
        foreach (var (task, table) in Tables)
            Assert.IsTrue(Read(task, Encoding.UTF8.GetBytes(table)));
    }

    [TestMethod]
    [DataRow(1500)]
    public void LinesOfObjects(int count) => Fuzzer.Run(nameof(LinesOfObjects), count, random =>
    {
        var (task, items) = Objects[random.Next(Objects.Length)];
        var lines = Array.ConvertAll(items, Encoding.UTF8.GetBytes);
        var changed = random.Next(lines.Length);
        lines[changed] = Mutation.OfJson(lines[changed], random);
        return Read(task, [.. lines[0], (byte)'\n', .. lines[1], (byte)'\n']);
    }, typeof(InvalidDataException));

    [TestMethod]
    [DataRow(1500)]
    public void ArraysOfObjects(int count) => Fuzzer.Run(nameof(ArraysOfObjects), count, random =>
    {
        var (task, items) = Objects[random.Next(Objects.Length)];
        return Read(task, Mutation.OfJson(Encoding.UTF8.GetBytes($"[{string.Join(",\n", items)}]"), random));
    }, typeof(InvalidDataException));

    [TestMethod]
    [DataRow(1500)]
    public void RowsOfFields(int count) => Fuzzer.Run(nameof(RowsOfFields), count, random =>
    {
        var (task, table) = Tables[random.Next(Tables.Length)];
        return Read(task, Mutation.OfBytes(Encoding.UTF8.GetBytes(table), random));
    }, typeof(InvalidDataException));

    [TestMethod]
    [DataRow(500)]
    public void LabelsInASecondFile(int count) => Fuzzer.Run(nameof(LabelsInASecondFile), count, random =>
    {
        var (task, items) = Array.Find(Objects, entry => entry.Task == LanguageBenchmark.Piqa);
        File.WriteAllBytes(_folder["labels"], Mutation.OfBytes(Encoding.UTF8.GetBytes(Labels), random));
        return Read(task, Encoding.UTF8.GetBytes(string.Join('\n', items)), _folder["labels"]);
    }, typeof(InvalidDataException));

    private bool Read(LanguageBenchmark task, byte[] content, string? labels = null)
    {
        File.WriteAllBytes(_folder["items"], content);
        var items = BenchmarkFile.Read(task, _folder["items"], labels, _ => { });
        Assert.IsNotEmpty(items);
        foreach (var item in items)
        {
            if (task == LanguageBenchmark.StsB)
                Assert.IsInRange(0, 5, item.Similarity);
            else
                Assert.IsTrue(item.Label >= 0 && item.Label < item.Choices.Length);
        }
        return true;
    }
}
