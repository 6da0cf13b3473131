using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace ClusterSample.Tests;

/// <summary>Zips of tiny models.</summary>
internal static class Zips
{
    /// <summary>Rows of a text and a number.</summary>
    /// <param name="mlContext">Whose view they are.</param>
    /// <param name="count">How many.</param>
    /// <param name="before">Called before each row is made.</param>
    public static IDataView Texts(MLContext mlContext, int count, Action<int>? before = null) =>
        mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(i =>
        {
            before?.Invoke(i);
            return new TextRow { Number = i, Text = new string((char)('a' + i % 26), 1 + i % 40) };
        }));

    /// <summary>Rows of choices, one of which has none.</summary>
    public static IDataView Choices(MLContext mlContext, int count, int withoutChoice) => mlContext.Data.LoadFromEnumerable(
        Enumerable.Range(0, count).Select(i => new ChoiceRow
        {
            Context = $"Number {i} is",
            Choices = i == withoutChoice ? [] : ["odd", "even"],
        }));

    /// <summary>A language model of two chains; its weights are the seed's.</summary>
    public static void SaveLanguageModel(string path, int seed)
    {
        var mlContext = new MLContext(seed);
        var rows = Texts(mlContext, 8);
        using var model = Train(mlContext, rows);
        mlContext.CoLM().Save(model, rows.Schema, path);
    }

    /// <summary>One that scores choices.</summary>
    public static void SaveChoiceModel(string path)
    {
        var mlContext = new MLContext(seed: 3);
        using var model = Train(mlContext, Texts(mlContext, 8));
        var rows = Choices(mlContext, 4, withoutChoice: -1);
        using var scorer = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = model.Model,
            Task = ScoringTask.MultipleChoice,
        }).Fit(rows);
        mlContext.CoLM().Save(scorer, rows.Schema, path);
    }

    private static ElasticScoringTransformer Train(MLContext mlContext, IDataView rows) =>
        mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
        {
            Architecture = new CoLMConfig
            {
                Layout = new ChainLayout(2, 2),
                VocabularySize = 258,
                HiddenSize = 32,
                IntermediateSize = 64,
                LayerCount = 1,
                ContextLength = 128,
            },
            SequenceLength = 16,
            MaxSteps = 1,
        }).Fit(rows);

    internal sealed class TextRow
    {
        public int Number { get; set; }

        public string Text { get; set; } = "";
    }

    internal sealed class ChoiceRow
    {
        public string Context { get; set; } = "";

        public string[] Choices { get; set; } = [];
    }
}
