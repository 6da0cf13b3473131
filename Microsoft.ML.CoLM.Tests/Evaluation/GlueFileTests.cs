using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Evaluation;

/// <summary>GLUE's files: what a language model is asked, to the letter, and what a classifier is.</summary>
[TestClass, DoNotParallelize]
public sealed class GlueFileTests : IDisposable
{
    private const string MnliHeader = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\t" +
        "sentence1_parse\tsentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n";

    private readonly TemporaryFolder _folder = new();
    private readonly MLContext _mlContext = new(seed: 1);

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    [DataRow("gj04\t1\t\tIt \"is.\n")]
    [DataRow("""{"sentence": "It \"is.", "label": 1, "idx": 0}""")]
    public void Cola(string text) => AssertRow(LanguageBenchmark.Cola, text, "It \"is.", null,
        "It \"is.\nQuestion: Does this sentence make sense?\nAnswer:", ["no", "yes"], 1);

    [TestMethod]
    [DataRow("sentence\tlabel\n\"a fine film \t1\n")]
    [DataRow("\uFEFFlabel\tsentence\r\n1\t\"a fine film \r\n\r\n")]
    [DataRow("text\tclass\n\"a fine film \t1\n")]
    [DataRow("""{"sentence": "\"a fine film ", "label": 1, "idx": 0}""")]
    [DataRow("""[{"sentence": "\"a fine film ", "label": 1, "idx": 0}]""")]
    public void Sst2(string text) => AssertRow(LanguageBenchmark.Sst2, text, "\"a fine film ", null,
        "\"a fine film \nQuestion: Is this sentence positive or negative?\nAnswer:", ["negative", "positive"], 1);

    [TestMethod]
    [DataRow("\uFEFFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t70\t72\tA is \"b\tB is a\n")]
    [DataRow("""{"sentence1": "A is \"b", "sentence2": "B is a", "label": 1, "idx": 0}""")]
    public void Mrpc(string text) => AssertRow(LanguageBenchmark.Mrpc, text, "A is \"b", "B is a",
        "Sentence 1: A is \"b\nSentence 2: B is a\nQuestion: Do both sentences mean the same thing?\nAnswer:", ["no", "yes"], 1);

    [TestMethod]
    [DataRow("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n5\t1\t2\tWhy?\tHow?\t0\n")]
    [DataRow("""{"question1": "Why?", "question2": "How?", "label": 0, "idx": 0}""")]
    public void Qqp(string text) => AssertRow(LanguageBenchmark.Qqp, text, "Why?", "How?",
        "Question 1: Why?\nQuestion 2: How?\nQuestion: Do both questions ask the same thing?\nAnswer:", ["no", "yes"], 0);

    [TestMethod]
    [DataRow(" It rains", "neutral", 1, "It rains.")]
    [DataRow("It rains. ", "entailment", 0, "It rains.")]
    [DataRow("It rains?", "contradiction", 2, "It rains?.")]
    [DataRow("It rains.\u3000", "contradiction", 2, "It rains.")]
    public void Mnli(string hypothesis, string label, int expected, string asked)
    {
        var context = $"It is wet.\nQuestion: {asked} True, False or Neither?\nAnswer:";
        AssertRow(LanguageBenchmark.Mnli, $"{MnliHeader}0\t1\t2\tg\t(a)\t(b)\t(c)\t(d)\tIt is wet.\t{hypothesis}\tneutral\t{label}\n",
            "It is wet.", hypothesis, context, ["True", "Neither", "False"], expected);
        AssertRow(LanguageBenchmark.Mnli, $$"""{"premise": "It is wet.", "hypothesis": "{{hypothesis}}", "label": {{expected}}}""",
            "It is wet.", hypothesis, context, ["True", "Neither", "False"], expected);
    }

    [TestMethod]
    [DataRow("index\tquestion\tsentence\tlabel\n0\tWhen?\tIn May.\tnot_entailment\n")]
    [DataRow("""{"question": "When?", "sentence": "In May.", "label": 1, "idx": 0}""")]
    [DataRow("""{"question": "When?", "sentence": "In May.", "label": "not_entailment", "idx": 0}""")]
    public void Qnli(string text) => AssertRow(LanguageBenchmark.Qnli, text, "When?", "In May.",
        "When?\nIn May.\nQuestion: Does this response answer the question?\nAnswer:", ["yes", "no"], 1);

    [TestMethod]
    [DataRow("index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n")]
    [DataRow("""{"sentence1": "A.", "sentence2": "B.", "label": 0, "idx": 0}""")]
    public void Rte(string text) => AssertRow(LanguageBenchmark.Rte, text, "A.", "B.",
        "A.\nQuestion: B. True or False?\nAnswer:", ["True", "False"], 0);

    [TestMethod]
    [DataRow("index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t1\n")]
    [DataRow("""{"sentence1": "A.", "sentence2": "B.", "label": 1, "idx": 0}""")]
    public void Wnli(string text) => AssertRow(LanguageBenchmark.Wnli, text, "A.", "B.",
        "A.\nQuestion: B. True or False?\nAnswer:", ["False", "True"], 1);

    [TestMethod]
    [DataRow("index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n" +
        "0\tg\tf\t2012\t1\tn\tn\tA.\tB.\t3.750\n")]
    [DataRow("""{"sentence1": "A.", "sentence2": "B.", "label": 3.75, "idx": 0}""")]
    public void StsBHasANumberAndNoChoices(string text)
    {
        var data = Load(LanguageBenchmark.StsB, text);
        CollectionAssert.AreEquivalent(
            (string[])["Text", "SecondText", "Label"], data.Schema.Select(column => column.Name).ToArray());
        Assert.AreEqual("A.", TaskRows.Column(data, "Text").Single());
        Assert.AreEqual("B.", TaskRows.Column(data, "SecondText").Single());
        using var cursor = data.GetRowCursor(data.Schema);
        Assert.IsTrue(cursor.MoveNext());
        var label = 0f;
        cursor.GetGetter<float>(data.Schema["Label"])(ref label);
        Assert.AreEqual(3.75f, label);
    }

    [TestMethod]
    [DataRow(LanguageBenchmark.Cola, "unacceptable", "acceptable")]
    [DataRow(LanguageBenchmark.Sst2, "negative", "positive")]
    [DataRow(LanguageBenchmark.Mrpc, "not_equivalent", "equivalent")]
    [DataRow(LanguageBenchmark.Qqp, "not_duplicate", "duplicate")]
    [DataRow(LanguageBenchmark.Mnli, "entailment", "neutral", "contradiction")]
    [DataRow(LanguageBenchmark.Qnli, "entailment", "not_entailment")]
    [DataRow(LanguageBenchmark.Rte, "entailment", "not_entailment")]
    [DataRow(LanguageBenchmark.Wnli, "not_entailment", "entailment")]
    public void LabelsAreReadByTheNamesOfExportsToo(LanguageBenchmark task, params string[] names)
    {
        var rows = TaskRows.Of(Load(task, string.Join('\n', names.Select(name => $$"""
            {"sentence": "a", "question": "a", "sentence1": "a", "sentence2": "b", "question1": "a", "question2": "b", "label": "{{name}}"}
            """))));
        CollectionAssert.AreEqual(Enumerable.Range(0, names.Length).ToArray(), rows.ConvertAll(row => row.Label));
    }

    [TestMethod]
    public void RowsOfQqpThatEndEarlyAreLeftOutAndToldOf()
    {
        List<string> messages = [];
        _mlContext.Log += (_, entry) => messages.Add(entry.RawMessage);
        var data = Load(LanguageBenchmark.Qqp, "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n" +
            "0\t1\t2\ta\tb\t1\n1\t3\t4\tbroken\n2\t3\t4\n5\t6\t7\tc\td\t0\n");
        CollectionAssert.AreEqual((string[])["a", "c"], TaskRows.Column(data, "Text"));
        Assert.IsTrue(messages.Exists(message => message.Contains("2 rows end early, that in line 3 first", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void SentencesThatAreTunedOnAreRead()
    {
        var data = _mlContext.CoLM().LoadBenchmark(LanguageBenchmark.Sst2, SharedData.Folder("data", "sst2", "dev.tsv"));
        var rows = TaskRows.Of(data);
        var lines = File.ReadAllLines(SharedData.Folder("data", "sst2", "dev.tsv"))[1..];
        CollectionAssert.AreEqual(lines, rows.Zip(TaskRows.Column(data, "Text"), (row, text) => $"{text}\t{row.Label}").ToArray());
    }

    private void AssertRow(
        LanguageBenchmark task, string text, string first, string? second, string context, string[] choices, int label)
    {
        var data = Load(task, text);
        var (contexts, found, index) = TaskRows.Of(data).Single();
        Assert.AreEqual(context, contexts.Single());
        CollectionAssert.AreEqual(choices, found);
        Assert.AreEqual(label, index);
        Assert.AreEqual(first, TaskRows.Column(data, "Text").Single());
        if (second is null)
            Assert.IsNull(data.Schema.GetColumnOrNull("SecondText"));
        else
            Assert.AreEqual(second, TaskRows.Column(data, "SecondText").Single());
        Assert.AreEqual(NumberDataViewType.Int32, data.Schema["Label"].Type);
    }

    private IDataView Load(LanguageBenchmark task, string text)
    {
        File.WriteAllText(_folder["rows.tsv"], text);
        return _mlContext.CoLM().LoadBenchmark(task, _folder["rows.tsv"]);
    }
}
