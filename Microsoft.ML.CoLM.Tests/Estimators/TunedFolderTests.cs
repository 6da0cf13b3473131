using System.Globalization;
using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A tuned model's folder gives the transformer that was tuned.</summary>
[TestClass, DoNotParallelize]
public sealed class TunedFolderTests : IDisposable
{
    private const string TaskHead = "task-head.safetensors";

    private static readonly string[] Tunings =
        ["class", "number class", "moment class", "numbered class", "boolean", "number", "pair", "completion", "heads", "adapters"];

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
    private readonly ElasticScoringTransformer _source;
    private readonly TemporaryFolder _folder = new();

    public TunedFolderTests() => _source = _mlContext.Scorer(_model);

    public static IEnumerable<object[]> TuningNames => Tunings.Select(name => new object[] { name });

    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    [DynamicData(nameof(TuningNames))]
    public void TheFolderMakesTheSamePredictionsAtEveryChainCount(string name)
    {
        var rows = Rows();
        using var tuned = Tune(name, rows);
        using var merged = tuned.Model.MergeAdapters();
        tuned.Model.Save(_folder.Path);
        Assert.AreEqual(name != "heads", File.Exists(_folder[TaskHead]));

        var estimator = _mlContext.Transforms.ElasticScoring(_folder.Path);
        using var read = estimator.Fit(rows);
        Assert.AreEqual(tuned.Settings.Scorer.Kind, read.Settings.Scorer.Kind);
        Assert.AreEqual(tuned.Settings.Columns, read.Settings.Columns);
        Assert.AreEqual(2, read.ChainCount);
        using var options = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = _folder.Path,
            ChainCount = 1,
            BatchSize = 64,
        }).Fit(rows);
        using var expected = name == "adapters" ? WithModel(tuned, merged) : tuned;
        for (var chainCount = 1; chainCount <= 2; chainCount++)
        {
            using var scale = expected.WithChainCount(chainCount);
            using var ofFolder = read.WithChainCount(chainCount);
            using var ofOptions = options.WithChainCount(chainCount);
            var columns = Describe(scale, rows);
            Assert.AreEqual(columns, Describe(ofFolder, rows));
            Assert.AreEqual(columns, Describe(ofOptions, rows));
        }
        Assert.AreEqual(Describe(read, rows), DescribeZip(read, rows));
        CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(tuned.Transform(rows).Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
    }

    [TestMethod]
    [DynamicData(nameof(TuningNames))]
    public void FoldersAndZipsKeepTheTaskWhicheverWayItGoes(string name)
    {
        var rows = Rows();
        using var tuned = Tune(name, rows);
        tuned.Model.Save(_folder["first"]);
        using var model = CoLMModel.Load(_folder["first"]);
        model.Save(_folder["second"]);
        ModelAssert.SameFiles(_folder["first"], _folder["second"]);

        using var read = _mlContext.Transforms.ElasticScoring(_folder["second"]).Fit(rows);
        _mlContext.CoLM().Save(read, rows.Schema, _folder["model.zip"]);
        using var ofZip = (ElasticScoringTransformer)_mlContext.CoLM().Load(_folder["model.zip"], out _);
        ofZip.Model.Save(_folder["third"]);
        ModelAssert.SameFiles(_folder["first"], _folder["third"]);
    }

    [TestMethod]
    public void AFolderOfTheFirstChainsHasTheHeadOfTheirCounts()
    {
        var rows = Rows();
        using var tuned = Tune("class", rows);
        tuned.Model.Save(_folder["one"], chainCount: 1);
        using var read = _mlContext.Transforms.ElasticScoring(_folder["one"]).Fit(rows);
        using var scale = tuned.WithChainCount(1);
        Assert.AreEqual(1, read.Model.Config.Layout.ChainCount);
        Assert.AreEqual(Describe(scale, rows), Describe(read, rows));

        tuned.Model.Save(_folder["both"]);
        using var first = CoLMModel.Load(_folder["both"], chainCount: 1);
        first.Save(_folder["of the first"]);
        CollectionAssert.AreEqual(
            File.ReadAllBytes(Path.Combine(_folder["one"], TaskHead)), File.ReadAllBytes(Path.Combine(_folder["of the first"], TaskHead)));
    }

    [TestMethod]
    public void TheTaskIsConvertedAndItsHeadIsNot()
    {
        var rows = Rows();
        using var tuned = Tune("class", rows);
        tuned.Model.Save(_folder.Path);
        using var read = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            ModelFolder = _folder.Path,
            DataType = ScalarType.BFloat16,
        }).Fit(rows);
        Assert.AreEqual(ScalarType.BFloat16, read.Model.DataType);
        for (var chain = 0; chain < 2; chain++)
            TensorAssert.SameBits(tuned.Head().Weight(chain), read.Head().Weight(chain));
    }

    [TestMethod]
    public void ATaskThatIsSetWinsOverTheFolders()
    {
        var rows = Rows();
        using var tuned = Tune("class", rows);
        tuned.Model.Save(_folder.Path);
        foreach (var task in (ScoringTask[])[ScoringTask.LanguageModeling, ScoringTask.Features])
        {
            var options = new ElasticScoringEstimator.Options { Task = task, TextColumnName = "Second" };
            options.Model = tuned.Model;
            using var expected = _mlContext.Transforms.ElasticScoring(options).Fit(rows);
            (options.Model, options.ModelFolder) = (null, _folder.Path);
            using var read = _mlContext.Transforms.ElasticScoring(options).Fit(rows);
            Assert.AreEqual($"{task}", $"{read.Settings.Scorer.Kind}");
            Assert.AreEqual(Describe(expected, rows), Describe(read, rows));
            // The head is not used, and not lost either.
            read.Model.Save(_folder["again"]);
            ModelAssert.SameFiles(_folder.Path, _folder["again"]);
            Directory.Delete(_folder["again"], recursive: true);
        }
        using var model = CoLMModel.Load(_folder.Path);
        using var scorer = _mlContext.Scorer(model);
        Assert.AreEqual(TaskKind.LanguageModeling, scorer.Settings.Scorer.Kind);
    }

    [TestMethod]
    public void ATextColumnThatIsSetWinsOverTheFolders()
    {
        var rows = Rows();
        using var tuned = Tune("pair", rows);
        tuned.Model.Save(_folder.Path);
        var renamed = _mlContext.Transforms.CopyColumns("Body", "Text").Fit(rows).Transform(rows);
        using var read = _mlContext.Transforms.ElasticScoring(_folder.Path, textColumnName: "Body").Fit(renamed);
        Assert.AreEqual(Describe(tuned, renamed), Describe(read, renamed));
        var wrong = _mlContext.Transforms.ElasticScoring(_folder.Path, textColumnName: "Second");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(() => wrong.Fit(rows)).Message, "Second");
        StringAssert.Contains(Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.Transforms.ElasticScoring(_folder.Path, textColumnName: "Nowhere").Fit(rows)).Message, "Nowhere");
    }

    [TestMethod]
    public void ACascadeIsTheTransformersAlone()
    {
        var rows = Rows();
        using var tuned = Tune("class", rows);
        var cascade = new CascadeOptions { ChainCounts = [1, 2], MinimumMargins = [0.5] };
        using var expected = tuned.WithCascade(cascade);
        expected.Model.Save(_folder.Path);
        using var plain = _mlContext.Transforms.ElasticScoring(_folder.Path).Fit(rows);
        Assert.AreEqual(Describe(tuned, rows), Describe(plain, rows));
        var options = new ElasticScoringEstimator.Options { ModelFolder = _folder.Path, Cascade = cascade };
        var estimator = _mlContext.Transforms.ElasticScoring(options);
        using var read = estimator.Fit(rows);
        Assert.AreEqual(Describe(expected, rows), Describe(read, rows));
        CollectionAssert.AreEqual(Shapes.Describe(Shapes.Of(read.Transform(rows).Schema)),
            Shapes.Describe(estimator.GetOutputSchema(Shapes.Of(rows.Schema))));
    }

    [TestMethod]
    public void AModelThatGrowsOrIsTunedAgainHasNoHeadOfBefore()
    {
        var rows = Rows();
        using var tuned = Tune("class", rows);
        tuned.Model.Save(_folder.Path);
        using (var loaded = CoLMModel.Load(_folder.Path))
        using (var grown = loaded.Expand([4], kvSharing: true, seed: 1))
        {
            Assert.IsNull(grown.Task);
            grown.Save(_folder["grown"]);
            Assert.IsFalse(File.Exists(Path.Combine(_folder["grown"], TaskHead)));
        }
        using var read = _mlContext.Transforms.ElasticScoring(_folder.Path).Fit(rows);
        using var again = _mlContext.Tune(With(Tuning.Steps(read), options => options.LabelColumnName = "IsWarm"), rows);
        again.Model.Save(_folder.Path);
        using var second = _mlContext.Transforms.ElasticScoring(_folder.Path).Fit(rows);
        Assert.AreEqual(TaskKind.BinaryClassification, second.Settings.Scorer.Kind);
        Assert.AreEqual(Describe(again, rows), Describe(second, rows));

        // A model without a task takes the place of one with.
        _model.Save(_folder.Path);
        Assert.IsFalse(File.Exists(_folder[TaskHead]));
        using var plain = _mlContext.Transforms.ElasticScoring(_folder.Path).Fit(rows);
        Assert.AreEqual(TaskKind.LanguageModeling, plain.Settings.Scorer.Kind);
    }

    [TestMethod]
    public void TextThatIsTakenLiterallyStaysSoInZipsAndFolders()
    {
        // The byte tokenizer's special tokens are spelt like this.
        var special = _mlContext.Labelled(new LabelledRow { Text = "The <|end_of_text|> of it", IsWarm = true }, Tuning.Data[0]);
        var options = With(Tuning.Steps(_source, steps: 1), options => options.LabelColumnName = "IsWarm");
        using var parsing = _mlContext.Tune(options, special);
        options.ParseSpecialTokens = false;
        using var literal = _mlContext.Tune(options, special);
        Assert.HasCount(2, SpecialIds(parsing), "One in front, one in the text.");
        Assert.HasCount(1, SpecialIds(literal));

        literal.Model.Save(_folder.Path);
        using var ofFolder = _mlContext.Transforms.ElasticScoring(_folder.Path).Fit(special);
        Assert.HasCount(1, SpecialIds(ofFolder));
        Assert.AreEqual(Describe(literal, special), Describe(ofFolder, special));
        _mlContext.CoLM().Save(literal, special.Schema, _folder["literal.zip"]);
        using var ofZip = (ElasticScoringTransformer)_mlContext.CoLM().Load(_folder["literal.zip"], out _);
        Assert.HasCount(1, SpecialIds(ofZip));
        using var scale = ofZip.WithChainCount(1);
        Assert.HasCount(1, SpecialIds(scale));

        using var scoring = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
        {
            Model = _model,
            ParseSpecialTokens = false,
            Window = 32,
        }).Fit(special);
        _mlContext.CoLM().Save(scoring, special.Schema, _folder["scoring.zip"]);
        using var scoringOfZip = (ElasticScoringTransformer)_mlContext.CoLM().Load(_folder["scoring.zip"], out _);
        Assert.AreEqual(scoring.Settings, scoringOfZip.Settings);
        Assert.AreEqual(Describe(scoring, special), Describe(scoringOfZip, special));
        Assert.AreNotEqual(Describe(_source, special), Describe(scoring, special));
    }

    private static int[] SpecialIds(ElasticScoringTransformer transformer) =>
        [.. transformer.Tokenizer.EncodeToIds("The <|end_of_text|> of it").Where(id => id >= 256)];

    [TestMethod]
    public void TheHeadIsAFileThatOtherToolsRead()
    {
        using var tuned = Tune("class", Rows());
        tuned.Model.Save(_folder.Path);
        var metadata = new Dictionary<string, string>();
        using var file = new SafetensorsReader(File.OpenRead(_folder[TaskHead]), TaskHead, metadata: metadata);
        Assert.AreEqual("pt", metadata["format"]);
        Assert.AreEqual("""{"version":1,"task":"multiclass_classification","text_columns":["Text"],"parse_special_tokens":true,"max_length":32,""" +
            "\"class_count\":3,\"class_type\":\"String\",\"classes\":[\"cold\",\"warm\",\"hot\"]}", metadata["colm_task"]);
        CollectionAssert.AreEqual(new[] { "chain_1 F32 [3, 16]", "chain_2 F32 [3, 16]" }, file.Entries.Select(entry =>
            $"{entry.Name} {entry.Type.Name} [{string.Join(", ", entry.Shape)}]").ToArray());
    }

    private ElasticScoringTransformer Tune(string name, IDataView rows)
    {
        var options = Tuning.Steps(_source, steps: 2);
        switch (name)
        {
            case "number class":
                options.LabelColumnName = "NumberKey";
                break;
            case "moment class":
                options.LabelColumnName = "MomentKey";
                break;
            case "numbered class":
                options.LabelColumnName = "Numbered";
                break;
            case "boolean":
                options.LabelColumnName = "IsWarm";
                break;
            case "number":
                options.LabelColumnName = "Degrees";
                break;
            case "pair":
                options.SecondTextColumnName = "Second";
                break;
            case "completion":
                (options.Task, options.PromptColumnName, options.ResponseColumnName) = (TuningTask.Completion, "Second", "Text");
                options.Template = "Q: {0} A: {1}.";
                break;
            case "heads":
                options.Task = TuningTask.LanguageHeads;
                break;
            case "adapters":
                options.Lora = new LoraOptions { Rank = 2 };
                break;
        }
        return _mlContext.Tune(options, rows);
    }

    private static ChainTuningEstimator.Options With(ChainTuningEstimator.Options options, Action<ChainTuningEstimator.Options> set)
    {
        set(options);
        return options;
    }

    // The model of adapters that are merged, as a folder has it.
    private ElasticScoringTransformer WithModel(ElasticScoringTransformer tuned, CoLMModel merged) => new(_mlContext,
        new Microsoft.ML.CoLM.Estimators.SharedModel(merged, isOwned: false), tuned.Settings);

    private IDataView Rows()
    {
        var keyed = _mlContext.Keyed();
        var conversion = _mlContext.Transforms.Conversion;
        var data = conversion.MapValueToKey("NumberKey", "Degrees").Append(_mlContext.Transforms.CustomMapping<LabelledRow, Moment>(
                (row, moment) => (moment.At, moment.Numbered) = (new DateTime(2024, 1, 1 + row.Number, 3, 4, 5), (uint)row.Number / 10 + 1),
                contractName: null))
            .Append(conversion.MapValueToKey("MomentKey", "At"));
        return data.Fit(keyed).Transform(keyed);
    }

    private string DescribeZip(ITransformer transformer, IDataView rows)
    {
        _mlContext.CoLM().Save(transformer, rows.Schema, _folder["described.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(_folder["described.zip"], out _);
        return Describe(loaded, rows);
    }

    /// <summary>All that the transformer adds: types, slot names and key values, and every bit of every row.</summary>
    private static string Describe(ITransformer transformer, IDataView rows)
    {
        var scored = transformer.Transform(rows);
        var text = new StringBuilder();
        foreach (var column in scored.Schema.Where(column => rows.Schema.GetColumnOrNull(column.Name) is null))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{column.Name} {column.Type}");
            foreach (var annotation in column.Annotations.Schema)
            {
                object value = null!;
                if (annotation.Type is VectorDataViewType { ItemType: TextDataViewType })
                    value = Values<ReadOnlyMemory<char>>(column, annotation.Name);
                else if (annotation.Type is VectorDataViewType { ItemType: NumberDataViewType })
                    value = Values<float>(column, annotation.Name);
                else if (annotation.Type is VectorDataViewType { ItemType: DateTimeDataViewType })
                    value = Values<DateTime>(column, annotation.Name);
                text.AppendLine(CultureInfo.InvariantCulture, $"  {annotation.Name} {annotation.Type} {value}");
            }
            IEnumerable<object> cells = column.Type switch
            {
                VectorDataViewType => scored.GetColumn<float[]>(column).Select(values =>
                    string.Join(' ', values.Select(BitConverter.SingleToUInt32Bits))),
                KeyDataViewType => scored.GetColumn<uint>(column).Cast<object>(),
                BooleanDataViewType => scored.GetColumn<bool>(column).Cast<object>(),
                { RawType: var type } when type == typeof(int) => scored.GetColumn<int>(column).Cast<object>(),
                _ => scored.GetColumn<float>(column).Select(value => (object)BitConverter.SingleToUInt32Bits(value)),
            };
            text.AppendJoin('|', cells).AppendLine();
        }
        return text.ToString();
    }

    private static string Values<T>(DataViewSchema.Column column, string annotation)
    {
        VBuffer<T> values = default;
        column.Annotations.GetValue(annotation, ref values);
        return string.Join(' ', values.DenseValues().Select(value => string.Create(CultureInfo.InvariantCulture, $"{value}")));
    }

    private sealed class Moment
    {
        public DateTime At { get; set; }

        [KeyType(3)]
        public uint Numbered { get; set; }
    }
}
