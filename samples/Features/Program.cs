using System.CommandLine;
using Features;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

var folder = new Option<DirectoryInfo>("--model") { Description = "LLaMA or CoLM folder" }.AcceptExistingOnly();
var zip = new Option<FileInfo>("--zip") { Description = "a pipeline's zip with a language model in it" }.AcceptExistingOnly();
var train = new Option<FileInfo>("--train")
{
    Description = "texts to learn from: two columns with a tab between, a text and 0 or 1, below a line of their names",
}.AcceptExistingOnly();
var test = new Option<FileInfo>("--test") { Description = "texts to judge by, as for --train" }.AcceptExistingOnly();
var command = new RootCommand(
    "Learns labels of texts from the features of a language model, with each of its chain counts. Without arguments, whether " +
    "the hero of a made-up story is a wild animal.")
{
    folder, zip, train, test,
};
command.Validators.Add(result =>
{
    if (result.GetResult(train) is null != result.GetResult(test) is null)
        result.AddError("Give --train and --test together.");
    if (result.GetResult(folder) is not null && result.GetResult(zip) is not null)
        result.AddError("Give --model or --zip.");
});
SampleCommand.SetAction(command, (result, cancellation) =>
{
    var mlContext = new MLContext(seed: 1);
    var (rows, others) = result.GetValue(train) is { } file
        ? (Read(file), Read(result.GetValue(test)!)) : (Stories(seed: 2, 400), Stories(seed: 3, 300));
    var pipeline = result.GetValue(zip) is { } path ? mlContext.CoLM().Load(path.FullName, out _, cancellation)
        : result.GetValue(folder) is { } name ? mlContext.Transforms.ElasticScoring(name.FullName).Fit(rows)
        : StoryModel.LoadOrTrain(mlContext, cancellation);
    using var disposing = pipeline as IDisposable;
    new Job(mlContext, FittedModel.Of(pipeline)).Run(rows, others);

    IDataView Read(FileInfo file) => mlContext.Data.LoadFromTextFile<Sentence>(file.FullName, hasHeader: true);

    IDataView Stories(int seed, int count)
    {
        var stories = new StoryGenerator(seed);
        return mlContext.Data.LoadFromEnumerable(Enumerable.Range(0, count).Select(_ => stories.WriteLabelled())
            .Select(story => new Sentence { Text = story.Text, Label = story.Animal is "bird" or "frog" or "fox" or "mouse" }).ToArray());
    }
});
return await SampleCommand.RunAsync(command, args);
