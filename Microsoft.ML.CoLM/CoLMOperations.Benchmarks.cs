using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Reads the published file of a task into rows that <see cref="ScoringTask.MultipleChoice"/> scores, with the wording
    /// of EleutherAI's lm-evaluation-harness (0.4.13.dev0, commit 4e7e0d4, zero-shot), so that what
    /// <see cref="EvaluateMultipleChoice"/> says of them stands beside published tables.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Columns: <c>Context</c> (text; of <see cref="LanguageBenchmark.WinoGrande"/> a vector of texts, one for each choice,
    /// since there the contexts differ), <c>Choices</c> (vector of texts, without the space that parts them from the
    /// context) and <c>Label</c> (Int32: the index of the right choice). GLUE's tasks also have <c>Text</c> and, of two
    /// sentences, <c>SecondText</c>, for <see cref="ChainTuningEstimator"/>, which takes the label after MapValueToKey.
    /// <see cref="LanguageBenchmark.StsB"/> has no choices: <c>Text</c>, <c>SecondText</c> and a Single <c>Label</c> from 0
    /// to 5, for <see cref="EvaluateCorrelation"/>. All is read at once, in the file's order.
    /// </para>
    /// <para>
    /// The harness takes HellaSwag's, WinoGrande's (xl), BoolQ's, PIQA's and GLUE's validation files, and OpenBookQA's, ARC's
    /// and SciQ's test files. Commonsense tasks are JSON in UTF-8: an object a line, or one array of them, as the tasks'
    /// authors publish them or as Hugging Face's data sets are exported (choices nested in the question, or beside it).
    /// GLUE's files are rows of fields between tabs, without quoting; but CoLA's begin with a header, whose names tell the
    /// columns, and where the names are others, the published places do. Exports of JSON lines are read, too, with the
    /// fields <c>sentence</c>, <c>sentence1</c>, <c>sentence2</c>, <c>question</c>, <c>question1</c>, <c>question2</c>,
    /// <c>premise</c>, <c>hypothesis</c> and <c>label</c>, a class's number or its name. Blank lines are
    /// passed over. Rows of QQP that end early, of which the published training file has a few, are left out, which the
    /// <see cref="MLContext"/> logs.
    /// </para>
    /// </remarks>
    /// <param name="benchmark">The task.</param>
    /// <param name="path">Its file: at most 1 GB of lines, or 64 MB of one array, and 1 MB an item.</param>
    /// <param name="labelsPath">
    /// PIQA's file of right choices, 0 or 1 in a line for each item, which are taken whatever labels the items have; null
    /// where the items have a <c>label</c>, and for every other task.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A path is empty, or <paramref name="labelsPath"/> is given for a task that has no such file.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such task.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is empty, too long, or not of the task; or an answer is none of the choices, as in published test files
    /// without answers; or the labels are not as many as the items. The message names the file, the line (in an array the
    /// item, counted from 1) and the field, what was expected there and what was found.
    /// </exception>
    public IDataView LoadBenchmark(LanguageBenchmark benchmark, string path, string? labelsPath = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!Enum.IsDefined(benchmark))
            throw new ArgumentOutOfRangeException(nameof(benchmark), benchmark, "There is no such task.");
        if (labelsPath is not null)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(labelsPath);
            if (benchmark != LanguageBenchmark.Piqa)
            {
                throw new ArgumentException($"Only PIQA has its labels in a second file; {benchmark} has them in its own, " +
                    $"found '{labelsPath}'.", nameof(labelsPath));
            }
        }
        using var channel = ((IHostEnvironment)_mlContext).Start("Benchmark");
        return BenchmarkView.Create(
            _mlContext, benchmark, BenchmarkFile.Read(benchmark, path, labelsPath, channel.Warning));
    }

    /// <summary>
    /// How far predicted numbers go with the labels: the metrics of <see cref="LanguageBenchmark.StsB"/>, and of any other
    /// regression.
    /// </summary>
    /// <remarks>
    /// Rows without a label (NaN) are left out, which the <see cref="MLContext"/> logs, and
    /// <see cref="CorrelationMetrics.Count"/> counts the others. Where labels or scores are all the same, as of one row,
    /// correlations are NaN.
    /// </remarks>
    /// <param name="scored">The rows, with both columns, each Single, Double or Int32.</param>
    /// <param name="labelColumnName">The numbers that should be.</param>
    /// <param name="scoreColumnName">The numbers that were predicted.</param>
    /// <param name="cancellationToken">Ends it before the next row is read.</param>
    /// <exception cref="ArgumentException">
    /// A column is missing or of another type, or no row has a label.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// A score is not finite, or a label infinite; the message names the column and the row.
    /// </exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public CorrelationMetrics EvaluateCorrelation(
        IDataView scored, string labelColumnName = "Label", string scoreColumnName = "Score",
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(scored);
        ArgumentException.ThrowIfNullOrEmpty(labelColumnName);
        ArgumentException.ThrowIfNullOrEmpty(scoreColumnName);
        return NumberPairs.Evaluate(_mlContext, Stoppable(scored, cancellationToken), labelColumnName, scoreColumnName);
    }
}
