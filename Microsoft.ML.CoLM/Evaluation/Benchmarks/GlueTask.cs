using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>One of GLUE's tasks: where its files have what, and how a language model is asked it.</summary>
internal sealed class GlueTask
{
    private static readonly string[] NoYes = ["no", "yes"];
    private static readonly string[] YesNo = ["yes", "no"];
    private static readonly string[] Sentiments = ["negative", "positive"];
    private static readonly string[] FalseTrue = ["False", "True"];
    private static readonly string[] TrueFalse = ["True", "False"];
    private static readonly string[] TrueNeitherFalse = ["True", "Neither", "False"];
    private static readonly string[] Entailments = ["entailment", "not_entailment"];
    private static readonly string[] ThreeEntailments = ["entailment", "neutral", "contradiction"];

    /// <summary>The sentence, or the first of two.</summary>
    public required GlueColumn Text { get; init; }

    /// <summary>The second sentence; null where there is one only.</summary>
    public GlueColumn? SecondText { get; init; }

    /// <summary>The class, or the number.</summary>
    public required GlueColumn Label { get; init; }

    /// <summary>Whether the published file begins with the columns' names.</summary>
    public bool HasHeader { get; init; } = true;

    /// <summary>
    /// Whether the published file has rows that end early, which everybody leaves out: a few of QQP's training file, whose
    /// questions had line breaks.
    /// </summary>
    public bool HasCutRows { get; init; }

    /// <summary>The choices in the order of the classes; none where the label is a number.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>
    /// The classes' names in published files and in exports, which have these or their indices; null where the label is a number.
    /// </summary>
    public string[]? ClassNames { get; init; }

    /// <summary>What precedes the choices, of the sentences.</summary>
    public Func<string, string, string> Context { get; init; } = (_, _) => "";

    /// <summary>The task; null where it is none of GLUE's.</summary>
    public static GlueTask? Of(LanguageBenchmark benchmark) => benchmark switch
    {
        LanguageBenchmark.Cola => new()
        {
            Text = new(3, "sentence"),
            Label = new(1, "label"),
            HasHeader = false,
            Choices = NoYes,
            ClassNames = ["unacceptable", "acceptable"],
            Context = (text, _) => $"{text}\nQuestion: Does this sentence make sense?\nAnswer:",
        },
        LanguageBenchmark.Sst2 => new()
        {
            Text = new(0, "sentence"),
            Label = new(1, "label"),
            Choices = Sentiments,
            ClassNames = Sentiments,
            Context = (text, _) => $"{text}\nQuestion: Is this sentence positive or negative?\nAnswer:",
        },
        LanguageBenchmark.Mrpc => new()
        {
            Text = new(3, "#1 String", "sentence1"),
            SecondText = new(4, "#2 String", "sentence2"),
            Label = new(0, "Quality", "label"),
            Choices = NoYes,
            ClassNames = ["not_equivalent", "equivalent"],
            Context = (first, second) => $"Sentence 1: {first}\nSentence 2: {second}\n" +
                "Question: Do both sentences mean the same thing?\nAnswer:",
        },
        LanguageBenchmark.Qqp => new()
        {
            Text = new(3, "question1"),
            SecondText = new(4, "question2"),
            Label = new(5, "is_duplicate", "label"),
            HasCutRows = true,
            Choices = NoYes,
            ClassNames = ["not_duplicate", "duplicate"],
            Context = (first, second) => $"Question 1: {first}\nQuestion 2: {second}\n" +
                "Question: Do both questions ask the same thing?\nAnswer:",
        },
        LanguageBenchmark.Mnli => new()
        {
            Text = new(8, "sentence1", "premise"),
            SecondText = new(9, "sentence2", "hypothesis"),
            Label = new(-1, "gold_label", "label"),
            Choices = TrueNeitherFalse,
            ClassNames = ThreeEntailments,
            Context = (premise, hypothesis) =>
                $"{premise}\nQuestion: {AsSentence(hypothesis)} True, False or Neither?\nAnswer:",
        },
        LanguageBenchmark.Qnli => new()
        {
            Text = new(1, "question"),
            SecondText = new(2, "sentence"),
            Label = new(-1, "label"),
            Choices = YesNo,
            ClassNames = Entailments,
            Context = (question, sentence) =>
                $"{question}\n{sentence}\nQuestion: Does this response answer the question?\nAnswer:",
        },
        LanguageBenchmark.Rte => new()
        {
            Text = new(1, "sentence1"),
            SecondText = new(2, "sentence2"),
            Label = new(-1, "label"),
            Choices = TrueFalse,
            ClassNames = Entailments,
            Context = TrueOrFalse,
        },
        LanguageBenchmark.Wnli => new()
        {
            Text = new(1, "sentence1"),
            SecondText = new(2, "sentence2"),
            Label = new(-1, "label"),
            Choices = FalseTrue,
            ClassNames = ["not_entailment", "entailment"],
            Context = TrueOrFalse,
        },
        LanguageBenchmark.StsB => new()
        {
            Text = new(7, "sentence1"),
            SecondText = new(8, "sentence2"),
            Label = new(-1, "score", "label"),
        },
        _ => null,
    };

    private static string TrueOrFalse(string first, string second) =>
        $"{first}\nQuestion: {second} True or False?\nAnswer:";

    private static string AsSentence(string text)
    {
        text = PythonText.Strip(text);
        return text.EndsWith('.') ? text : text + ".";
    }
}
