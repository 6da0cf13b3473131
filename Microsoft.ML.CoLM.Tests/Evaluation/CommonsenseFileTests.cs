using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>Files of commonsense tasks: what a language model is asked, to the letter.</summary>
[TestClass, DoNotParallelize]
public sealed class CommonsenseFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow("2")]
    [DataRow("\"2\"")]
    public void HellaSwag(string label)
    {
        var row = Single(LanguageBenchmark.HellaSwag, """
            {"activity_label": " Removing ice", "ctx_a": "A man [x] is  here.", "ctx_b": "hE Asks. [title] How to go ",
             "endings": ["a [step] b", " walks  off ", "[header] x [title] y", "z"], "label": LABEL, "split": "val"}
            """.Replace("LABEL", label, StringComparison.Ordinal));
        // "[x]" leaves two spaces, which become one; capitals of the second part are lowered first.
        Assert.AreEqual("Removing ice: A man is here. He asks.. how to go", row.Contexts.Single());
        CollectionAssert.AreEqual((string[])["a b", "walks off", " x. y", "z"], row.Choices);
        Assert.AreEqual(2, row.Label);
    }

    [TestMethod]
    [DataRow("  a [title] b ", "a. b")]
    [DataRow("a [title]", "a. ")]
    [DataRow("[title] a", " a")]
    [DataRow("a [x] [y] b", "a  b")]
    [DataRow("a    b", "a  b")]
    [DataRow("a [x [y] z] b", "a z] b")]
    [DataRow("a [\n] b", "a [\n] b")]
    [DataRow("a [ b", "a [ b")]
    [DataRow("", "")]
    public void CleaningKeepsTheHarnesssOrderOfSteps(string text, string expected) =>
        Assert.AreEqual(expected, HellaSwagItems.Clean(text));

    [TestMethod]
    public void OpeningBracketsAloneTakeNoLonger()
    {
        var brackets = new string('[', 1 << 20);
        Assert.AreEqual(brackets, HellaSwagItems.Clean(brackets));
    }

    // Its str.strip takes four separators away that .NET's Trim does not.
    [TestMethod]
    public void WhiteSpaceIsPythonsAsTheHarnesss()
    {
        var hellaSwag = Single(LanguageBenchmark.HellaSwag, """
            {"activity_label": "\u001cA", "ctx_a": "b", "ctx_b": "c\u001f", "endings": ["d\u001e", "\u001de"], "label": 0}
            """);
        Assert.AreEqual("A: b C", hellaSwag.Contexts.Single());
        CollectionAssert.AreEqual((string[])["d", "e"], hellaSwag.Choices);
        CollectionAssert.AreEqual((string[])["b", "b"], Single(LanguageBenchmark.WinoGrande, """
            {"sentence": "a _\u001c b\u001f", "option1": "x", "option2": "y", "answer": "1"}
            """).Choices);
        AssertRow(LanguageBenchmark.SciQ, """
            {"question": "Why?", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d", "support": "\u001c s."}
            """, "s.\nQuestion: Why?\nAnswer:", ["a", "b", "c", "d"], 3);
    }

    [TestMethod]
    [DataRow("""{"question": {"stem": "The sun", "choices": [{"text": "one", "label": "A"}, {"text": "two", "label": "B"}]}, "answerKey": "B"}""")]
    [DataRow("""{"question_stem": "The sun", "choices": {"text": ["one", "two"], "label": ["A", "B"]}, "answerKey": " B"}""")]
    [DataRow("""{"question_stem": "The sun", "choices": [{"text": "one", "label": "A"}, {"text": "two", "label": "B"}], "answerKey": "B"}""")]
    public void OpenBookQA(string item) => AssertRow(LanguageBenchmark.OpenBookQA, item, "The sun", ["one", "two"], 1);

    [TestMethod]
    [DataRow("""{"question": {"stem": "Why?", "choices": [{"text": "a", "label": "1"}, {"text": "b", "label": "2"}, {"text": "c", "label": "3"}]}, "answerKey": "3"}""")]
    [DataRow("""{"question": "Why?", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "3"}""")]
    [DataRow("""{"question": "Why?", "choices": {"text": ["a", "b", "c"], "label": [1, 2, 3]}, "answerKey": 3}""")]
    public void Arc(string item)
    {
        foreach (var task in (LanguageBenchmark[])[LanguageBenchmark.ArcEasy, LanguageBenchmark.ArcChallenge])
            AssertRow(task, item, "Question: Why?\nAnswer:", ["a", "b", "c"], 2);
    }

    [TestMethod]
    public void ARightChoiceIsFoundByItsLabelWhereverThatStands() => AssertRow(LanguageBenchmark.ArcEasy, """
        {"question": "Why?", "choices": {"text": ["a", "b", "c", "d", "e"], "label": ["E", "D", "C", "B", "A"]}, "answerKey": "A"}
        """, "Question: Why?\nAnswer:", ["a", "b", "c", "d", "e"], 4);

    [TestMethod]
    [DataRow("\"2\"")]
    [DataRow("2")]
    public void WinoGrande(string answer)
    {
        var data = Load(LanguageBenchmark.WinoGrande, """
            {"sentence": "Ann beat Eve since _ was _ fast. ", "option1": "Ann", "option2": "Eve", "answer": ANSWER}
            """.Replace("ANSWER", answer, StringComparison.Ordinal));
        var (contexts, choices, label) = TaskRows.Of(data).Single();
        CollectionAssert.AreEqual((string[])["Ann beat Eve since Ann", "Ann beat Eve since Eve"], contexts);
        CollectionAssert.AreEqual((string[])["was _ fast.", "was _ fast."], choices);
        Assert.AreEqual(1, label);
        Assert.IsInstanceOfType<VectorDataViewType>(data.Schema["Context"].Type);
    }

    [TestMethod]
    [DataRow("\"answer\": true", 1)]
    [DataRow("\"answer\": false", 0)]
    [DataRow("\"answer\": \"True\"", 1)]
    [DataRow("\"label\": 1", 1)]
    [DataRow("\"label\": 0", 0)]
    [DataRow("\"label\": \"1\"", 1)]
    [DataRow("\"label\": 1.0", 1)]
    [DataRow("\"answer\": null, \"label\": 1", 1)]
    public void BoolQ(string answer, int label) => AssertRow(LanguageBenchmark.BoolQ,
        $$"""{"question": "is it so", "passage": "It is.", {{answer}}}""",
        "It is.\nQuestion: is it so?\nAnswer:", ["no", "yes"], label);

    [TestMethod]
    [DataRow("1", 1)]
    [DataRow("\"0\"", 0)]
    public void PiqaWithLabels(string label, int expected) => AssertRow(LanguageBenchmark.Piqa,
        $$"""{"goal": "Boil water", "sol1": "Freeze it", "sol2": "Heat it", "label": {{label}}}""",
        "Question: Boil water\nAnswer:", ["Freeze it", "Heat it"], expected);

    [TestMethod]
    public void PiqaWithLabelsInASecondFile()
    {
        File.WriteAllText(_folder["items"], string.Concat(Enumerable.Repeat(
            """{"goal": "g", "sol1": "a", "sol2": "b", "label": -1}""" + "\n", 3)));
        File.WriteAllText(_folder["labels"], "1\r\n0\r\n1\r\n\r\n");
        var rows = TaskRows.Of(_mlContext.CoLM().LoadBenchmark(LanguageBenchmark.Piqa, _folder["items"], _folder["labels"]));
        CollectionAssert.AreEqual((int[])[1, 0, 1], rows.ConvertAll(row => row.Label));
    }

    [TestMethod]
    public void SciQ() => AssertRow(LanguageBenchmark.SciQ, """
        [{"question": "Why?", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d", "support": " \n s. "}]
        """, "s. \nQuestion: Why?\nAnswer:", ["a", "b", "c", "d"], 3);

    [TestMethod]
    public void SciQWithoutSupport() => AssertRow(LanguageBenchmark.SciQ, """
        {"question": "Why?", "distractor1": "a", "distractor2": "b", "distractor3": "c", "correct_answer": "d", "support": ""}
        """, "\nQuestion: Why?\nAnswer:", ["a", "b", "c", "d"], 3);

    [TestMethod]
    public void LinesAndOneArrayAreTheSameItems()
    {
        string[] items = ["""{"goal": "é[,]", "sol1": "a", "sol2": "}", "label": 1}""", """{"goal": "h", "sol1": "c", "sol2": "d", "label": 0}"""];
        var lines = Rows(string.Join('\n', items));
        Assert.HasCount(2, lines);
        foreach (var text in (string[])[
            string.Join("\r\n", items) + "\r\n\r\n\n", "\uFEFF" + string.Join("\n\n", items), $"[{string.Join(",", items)}]",
            $"\uFEFF \n[\n{string.Join(" ,\n", items)}\n]\n\n"])
        {
            CollectionAssert.AreEqual(lines, Rows(text), text);
        }

        List<string> Rows(string text) => TaskRows.Of(Load(LanguageBenchmark.Piqa, text)).ConvertAll(row =>
            $"{row.Contexts.Single()}|{string.Join('|', row.Choices)}|{row.Label}");
    }

    [TestMethod]
    public void RowsHaveTheNamedColumns()
    {
        var schema = Load(LanguageBenchmark.Piqa, """{"goal": "g", "sol1": "a", "sol2": "b", "label": 1}""").Schema;
        CollectionAssert.AreEquivalent((string[])["Context", "Choices", "Label"], schema.Select(column => column.Name).ToArray());
        Assert.AreEqual(TextDataViewType.Instance, schema["Context"].Type);
        Assert.AreEqual(TextDataViewType.Instance, ((VectorDataViewType)schema["Choices"].Type).ItemType);
        Assert.AreEqual(NumberDataViewType.Int32, schema["Label"].Type);
    }

    [TestMethod]
    [DataRow(LanguageBenchmark.HellaSwag, "hellaswag.jsonl", null, 4)]
    [DataRow(LanguageBenchmark.OpenBookQA, "openbookqa.jsonl", null, 4)]
    [DataRow(LanguageBenchmark.ArcEasy, "arc.jsonl", null, 0)]
    [DataRow(LanguageBenchmark.WinoGrande, "winogrande.jsonl", null, 2)]
    [DataRow(LanguageBenchmark.BoolQ, "boolq.jsonl", null, 2)]
    [DataRow(LanguageBenchmark.Piqa, "piqa.jsonl", "piqa-labels.lst", 2)]
    [DataRow(LanguageBenchmark.SciQ, "sciq.json", null, 4)]
    public void FilesThatOthersScoredAreReadWhole(LanguageBenchmark task, string name, string? labels, int choices)
    {
        var folder = SharedData.Folder("golden", "choices");
        var rows = TaskRows.Of(_mlContext.CoLM().LoadBenchmark(
            task, Path.Combine(folder, name), labels is null ? null : Path.Combine(folder, labels)));
        Assert.HasCount(40, rows);
        Assert.IsTrue(rows.TrueForAll(row => row.Label >= 0 && row.Label < row.Choices.Length));
        Assert.IsTrue(choices == 0 || rows.TrueForAll(row => row.Choices.Length == choices));
        Assert.IsGreaterThan(1, task == LanguageBenchmark.SciQ ? 2 : rows.Select(row => row.Label).Distinct().Count());
    }

    private void AssertRow(LanguageBenchmark task, string text, string context, string[] choices, int label)
    {
        var row = Single(task, text);
        Assert.AreEqual(context, row.Contexts.Single());
        CollectionAssert.AreEqual(choices, row.Choices);
        Assert.AreEqual(label, row.Label);
    }

    private (string[] Contexts, string[] Choices, int Label) Single(LanguageBenchmark task, string text) =>
        TaskRows.Of(Load(task, text.ReplaceLineEndings(" "))).Single();

    private IDataView Load(LanguageBenchmark task, string text)
    {
        File.WriteAllText(_folder["items"], text);
        return _mlContext.CoLM().LoadBenchmark(task, _folder["items"]);
    }
}
