using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Files that are no task's: the message says where, what was expected there and what was found.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongTaskFileTests : IDisposable
{
    private const string Good = """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""" + "\n";

    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow(LanguageBenchmark.HellaSwag, """{"activity_label": "x", "ctx_a": "a", "ctx_b": "b", "endings": ["c", "d"], "label": ""}""", "label", "found \"\"")]
    [DataRow(LanguageBenchmark.HellaSwag, """{"activity_label": "x", "ctx_a": "a", "ctx_b": "b", "endings": ["c", "d"], "label": 2}""", "label", "0 to 1", "found 2")]
    [DataRow(LanguageBenchmark.HellaSwag, """{"activity_label": "x", "ctx_a": "a", "ctx_b": "b", "endings": ["c"], "label": 0}""", "endings", "two choices or more")]
    [DataRow(LanguageBenchmark.HellaSwag, """{"activity_label": "x", "ctx_a": "a", "ctx_b": "b", "endings": ["c", 7], "label": 0}""", "endings[1]", "a string", "found 7")]
    [DataRow(LanguageBenchmark.HellaSwag, """{"activity_label": "x", "ctx_a": "a", "endings": ["c", "d"], "label": 0}""", "ctx_b", "found nothing")]
    [DataRow(LanguageBenchmark.OpenBookQA, """{"question": {"stem": "s", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "answerKey": "E"}""", "answerKey", "A, B", "found \"E\"")]
    [DataRow(LanguageBenchmark.OpenBookQA, """{"question": {"stem": "s", "choices": [{"text": "a", "label": "A"}, {"text": "b"}]}, "answerKey": "A"}""", "question.choices[1].label", "found nothing")]
    [DataRow(LanguageBenchmark.ArcEasy, """{"question": "s", "choices": {"text": ["a", "b"], "label": ["A", "B", "C"]}, "answerKey": "A"}""", "choices.label", "2 labels")]
    [DataRow(LanguageBenchmark.ArcEasy, """{"question": "s", "choices": {"text": ["a", "b"], "label": ["A", "A"]}, "answerKey": "A"}""", "choices", "different labels")]
    [DataRow(LanguageBenchmark.ArcChallenge, """{"question": "s", "choices": {"text": ["a", "b"], "label": ["A", "B"]}}""", "answerKey", "found nothing")]
    [DataRow(LanguageBenchmark.ArcChallenge, """{"question": "s", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "A"}""", "answerKey", "1, 2", "found \"A\"")]
    [DataRow(LanguageBenchmark.WinoGrande, """{"sentence": "no gap", "option1": "a", "option2": "b", "answer": "1"}""", "sentence", "a gap '_'", "no gap")]
    [DataRow(LanguageBenchmark.WinoGrande, """{"sentence": "ends in _", "option1": "a", "option2": "b", "answer": "1"}""", "sentence", "goes on")]
    [DataRow(LanguageBenchmark.WinoGrande, """{"sentence": "a _ b", "option1": "a", "option2": "b", "answer": "0"}""", "answer", "1 to 2", "found \"0\"")]
    [DataRow(LanguageBenchmark.BoolQ, """{"question": "q", "passage": "p"}""", "answer", "found nothing")]
    [DataRow(LanguageBenchmark.BoolQ, """{"question": "q", "passage": "p", "answer": "maybe"}""", "answer", "false, true", "maybe")]
    [DataRow(LanguageBenchmark.BoolQ, """{"question": "q", "passage": "p", "label": -1}""", "label", "found -1")]
    [DataRow(LanguageBenchmark.Piqa, """{"goal": "g", "sol1": "a", "sol2": "b"}""", "label", "labelsPath", "found nothing")]
    [DataRow(LanguageBenchmark.Piqa, """{"goal": "g", "sol1": "a", "sol2": "b", "label": 0.5}""", "label", "found 0.5")]
    [DataRow(LanguageBenchmark.SciQ, """{"question": "q", "distractor1": "a", "distractor2": "b", "correct_answer": "c", "support": ""}""", "distractor3", "found nothing")]
    [DataRow(LanguageBenchmark.Cola, """{"sentence": "s", "label": -1}""", "label", "test files", "found -1")]
    [DataRow(LanguageBenchmark.Rte, """{"sentence1": "s", "sentence2": "t", "label": "neutral"}""", "label", "entailment, not_entailment", "neutral")]
    [DataRow(LanguageBenchmark.StsB, """{"sentence1": "s", "sentence2": "t", "label": -1.0}""", "label", "0 to 5", "found -1.0")]
    [DataRow(LanguageBenchmark.Piqa, "[1]", "expected a JSON object, found Array")]
    [DataRow(LanguageBenchmark.Piqa, "7", "expected a JSON object, found Number")]
    [DataRow(LanguageBenchmark.Piqa, "goal", "not valid JSON")]
    [DataRow(LanguageBenchmark.Piqa, """{"goal": "\ud800", "sol1": "a", "sol2": "b", "label": 0}""", "not valid Unicode")]
    public void AWrongItemIsRefusedByItsFileLineAndField(LanguageBenchmark task, string item, params string[] told)
    {
        var good = task == LanguageBenchmark.Piqa ? Good : "";
        Refused(task, $"{good}\n{item}\n", [$"{_folder["items"]}, line {(good.Length > 0 ? 3 : 2)}", .. told]);
        if (task != LanguageBenchmark.Piqa || item.StartsWith('{'))
            Refused(task, $"[{item}]", [$"{_folder["items"]}, item 1", .. told]);
    }

    [TestMethod]
    [DataRow(LanguageBenchmark.Sst2, "sentence\tlabel\na\t0\nb\t2\n", "line 3", "label", "0 to 1", "found \"2\"")]
    [DataRow(LanguageBenchmark.Sst2, "sentence\tlabel\na\tb\t0\n", "line 2", "2 fields", "found 3")]
    [DataRow(LanguageBenchmark.Sst2, "sentence\tlabel\na\n", "line 2", "2 fields", "found 1")]
    [DataRow(LanguageBenchmark.Sst2, "index\tsentence\n0\ta\n", "line 1", "'label'", "test files have no labels")]
    [DataRow(LanguageBenchmark.Sst2, "a film\t0\n", "line 1", "header", "found a row")]
    [DataRow(LanguageBenchmark.Cola, "index\tsentence\n0\ta\n", "line 1", "test files have no labels")]
    [DataRow(LanguageBenchmark.Cola, "gj04\t1\t\n", "line 1", "4 or more", "found 3")]
    [DataRow(LanguageBenchmark.Mrpc, "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\ta\tb\n", "line 1", "'Quality'", "test files have no labels")]
    [DataRow(LanguageBenchmark.Qqp, "id\tquestion1\tquestion2\n0\ta\tb\n", "line 1", "'is_duplicate'", "test files have no labels")]
    [DataRow(LanguageBenchmark.Mnli, "index\tsentence1\tsentence2\n0\ta\tb\n", "line 1", "'gold_label'", "test files have no labels")]
    [DataRow(LanguageBenchmark.Rte, "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tneutral\n", "line 2", "entailment, not_entailment", "found \"neutral\"")]
    [DataRow(LanguageBenchmark.StsB, "sentence1\tsentence2\tscore\na\tb\tNaN\n", "line 2", "0 to 5", "found \"NaN\"")]
    public void AWrongRowIsRefusedByItsFileLineAndField(LanguageBenchmark task, string text, params string[] told) =>
        Refused(task, text, [_folder["items"], .. told]);

    [TestMethod]
    public void WhatAMessageQuotesOfAFileIsShort()
    {
        var text = new string('x', 500_000);
        foreach (var (task, content) in ((LanguageBenchmark, string)[])[
            (LanguageBenchmark.Sst2, $"sentence\tlabel\na\t{text}\n"), (LanguageBenchmark.Sst2, $"sentence\t{text}\n"),
            (LanguageBenchmark.BoolQ, $$"""{"question": "q", "passage": "p", "answer": "{{text}}"}"""),
            (LanguageBenchmark.ArcEasy, $$"""{"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "{{text}}"]}, "answerKey": "C"}""")])
        {
            File.WriteAllText(_folder["items"], content);
            Assert.IsLessThan(1000, Assert.ThrowsExactly<InvalidDataException>(() => Load(task)).Message.Length);
        }
    }

    [TestMethod]
    public void BytesThatAreNoTextAreRefused()
    {
        File.WriteAllBytes(_folder["items"], [.. "sentence\tlabel\na"u8, 0xFF, .. "\t1\n"u8]);
        AssertTold(Assert.ThrowsExactly<InvalidDataException>(() => Load(LanguageBenchmark.Sst2)), "line 2", "UTF-8");
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("\n \r\n\n")]
    [DataRow("\uFEFF")]
    [DataRow("[]")]
    public void AFileWithoutItemsIsRefused(string text)
    {
        foreach (var task in Enum.GetValues<LanguageBenchmark>())
            Refused(task, text, [_folder["items"], $"expected items of {task}, found none"]);
    }

    [TestMethod]
    public void AFileOfAHeaderAloneIsRefused() => Refused(LanguageBenchmark.Sst2, "sentence\tlabel\n", ["found none"]);

    [TestMethod]
    [DataRow("[" + """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""", "not valid JSON")]
    [DataRow("[" + """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""" + "] 7", "not valid JSON")]
    [DataRow("[" + """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}, {"goal": 1}""" + "]", "item 2: label")]
    public void AWrongArrayIsRefused(string text, string told) => Refused(LanguageBenchmark.Piqa, text, [told]);

    [TestMethod]
    [DataRow("1\n", "expected 2 labels", "found 1")]
    [DataRow("1\n0\n1\n", "expected 2 labels", "found 3")]
    [DataRow("1\n2\n", "line 2", "0 or 1", "found \"2\"")]
    [DataRow("", "expected 2 labels", "found 0")]
    public void WrongLabelsAreRefusedByTheirFile(string labels, params string[] told)
    {
        File.WriteAllText(_folder["items"], Good + Good);
        File.WriteAllText(_folder["labels"], labels);
        AssertTold(
            Assert.ThrowsExactly<InvalidDataException>(() => Load(LanguageBenchmark.Piqa, "labels")), [_folder["labels"], .. told]);
    }

    [TestMethod]
    public void LabelsAreRefusedWhereTheTaskHasNone()
    {
        foreach (var task in Enum.GetValues<LanguageBenchmark>().Where(task => task != LanguageBenchmark.Piqa))
            AssertTold(Assert.ThrowsExactly<ArgumentException>(() => Load(task, "labels")), $"{task}", "labels");
    }

    [TestMethod]
    public void AMissingFileIsNamed()
    {
        foreach (var task in Enum.GetValues<LanguageBenchmark>())
            Assert.AreEqual(_folder["items"], Assert.ThrowsExactly<FileNotFoundException>(() => Load(task)).FileName);
        File.WriteAllText(_folder["items"], Good);
        Assert.AreEqual(_folder["labels"],
            Assert.ThrowsExactly<FileNotFoundException>(() => Load(LanguageBenchmark.Piqa, "labels")).FileName);
    }

    [TestMethod]
    public void WhatIsNoFileIsRefused()
    {
        Directory.CreateDirectory(_folder["items"]);
        Refused(LanguageBenchmark.Sst2, null, [_folder["items"], "folder"]);
        Assert.Throws<ArgumentException>(() => _mlContext.CoLM().LoadBenchmark(LanguageBenchmark.Sst2, " "));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.CoLM().LoadBenchmark((LanguageBenchmark)99, _folder["items"]));
    }

    [TestMethod]
    public void AnItemLongerThanAnyIsRefusedBeforeTheFileIsRead()
    {
        using (var file = File.Create(_folder["items"]))
        {
            file.Write("{\"goal\": \""u8);
            file.SetLength(FileLimits.TaskLines); // takes no room on the disk
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(LanguageBenchmark.Piqa, null, ["line 1", $"at most {FileLimits.TaskItem} bytes"]);
        Assert.IsLessThan(8 * FileLimits.TaskItem, GC.GetAllocatedBytesForCurrentThread() - before);
        File.WriteAllText(_folder["items"], $"[{Good}, \"{new string('x', (int)FileLimits.TaskItem)}\"]");
        Refused(LanguageBenchmark.Piqa, null, ["item 2", $"at most {FileLimits.TaskItem} bytes"]);
    }

    [TestMethod]
    public void AnArrayLongerThanAnyIsRefusedUnread()
    {
        using (var file = File.Create(_folder["items"]))
        {
            file.Write("["u8);
            file.SetLength(FileLimits.TaskArray + 1);
        }
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(LanguageBenchmark.SciQ, null, [_folder["items"], $"at most {FileLimits.TaskArray} bytes"]);
        Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private void Refused(LanguageBenchmark task, string? text, string[] told)
    {
        if (text is not null)
            File.WriteAllText(_folder["items"], text);
        AssertTold(Assert.ThrowsExactly<InvalidDataException>(() => Load(task)), told);
    }

    private static void AssertTold(Exception error, params string[] told)
    {
        foreach (var part in told)
            Assert.Contains(part, error.Message);
    }

    private IDataView Load(LanguageBenchmark task, string? labels = null) =>
        _mlContext.CoLM().LoadBenchmark(task, _folder["items"], labels is null ? null : _folder[labels]);
}
