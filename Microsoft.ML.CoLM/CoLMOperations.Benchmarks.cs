using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Reads a benchmark's published file into rows for <see cref="ScoringTask.MultipleChoice"/>, worded as in EleutherAI's
    /// lm-evaluation-harness (0.4.13.dev0, commit 4e7e0d4, zero-shot), so that the results of
    /// <see cref="EvaluateMultipleChoice"/> are comparable with published tables.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Columns: <c>Context</c> (text; for <see cref="LanguageBenchmark.WinoGrande"/> a vector of texts, one per choice, because
    /// its contexts differ), <c>Choices</c> (vector of texts, without the space that separates them from the context) and
    /// <c>Label</c> (Int32: the index of the correct choice). The GLUE tasks also have <c>Text</c> and, for sentence pairs,
    /// <c>SecondText</c>, for <see cref="ChainTuningEstimator"/>, which takes the label after MapValueToKey.
    /// <see cref="LanguageBenchmark.StsB"/> has no choices: <c>Text</c>, <c>SecondText</c> and a Single <c>Label</c> from 0 to
    /// 5, for <see cref="EvaluateCorrelation"/>. The whole file is read at once, in order.
    /// </para>
    /// <para>
    /// The harness uses the validation files of HellaSwag, WinoGrande (xl), BoolQ, PIQA and GLUE, and the test files of
    /// OpenBookQA, ARC and SciQ. Commonsense tasks are UTF-8 JSON: one object per line or one array of objects, as published by
    /// the authors or as exported from Hugging Face's data sets (choices nested in the question or beside it). GLUE files are
    /// tab-separated without quoting; all but CoLA's begin with a header that names the columns, and where the names are
    /// unknown, the published positions apply. JSON Lines exports are also read, with the fields <c>sentence</c>,
    /// <c>sentence1</c>, <c>sentence2</c>, <c>question</c>, <c>question1</c>, <c>question2</c>, <c>premise</c>,
    /// <c>hypothesis</c> and <c>label</c>, a class index or name. Blank lines are skipped. Truncated QQP rows, of which the
    /// published training file has a few, are skipped and logged through the <see cref="MLContext"/>.
    /// </para>
    /// </remarks>
    /// <param name="benchmark">The benchmark.</param>
    /// <param name="path">Its file: at most 1 GB of lines or a 64 MB array, and 1 MB per item.</param>
    /// <param name="labelsPath">
    /// PIQA's label file, with 0 or 1 per line for each item, which overrides any labels in the items; null if the items have a
    /// <c>label</c>, and for every other benchmark.
    /// </param>
    /// <exception cref="ArgumentException">
    /// A path is empty, or <paramref name="labelsPath"/> is given for a benchmark that has no label file.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="benchmark"/> is not a defined value.</exception>
    /// <exception cref="FileNotFoundException">The file does not exist.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    /// <exception cref="InvalidDataException">
    /// The file is empty, too long, or not of this benchmark; or an answer is not one of the choices, as in published test
    /// files without answers; or the numbers of labels and items differ. The message names the file, the line (in an array the
    /// item, counted from 1) and the field, and what was expected and found.
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
    /// Computes how well predicted numbers correlate with the labels: the metrics of <see cref="LanguageBenchmark.StsB"/> and
    /// of any other regression.
    /// </summary>
    /// <remarks>
    /// Rows without a label (NaN) are skipped and logged through the <see cref="MLContext"/>;
    /// <see cref="CorrelationMetrics.Count"/> counts the others. If all labels or all scores are equal, as for a single row,
    /// the correlations are NaN.
    /// </remarks>
    /// <param name="scored">The rows, with both columns, each Single, Double or Int32.</param>
    /// <param name="labelColumnName">The column of true values.</param>
    /// <param name="scoreColumnName">The column of predicted values.</param>
    /// <param name="cancellationToken">Cancels before the next row is read.</param>
    /// <exception cref="ArgumentException">
    /// A column is missing or has the wrong type, or no row has a label.
    /// </exception>
    /// <exception cref="InvalidOperationException">
    /// A score is not finite, or a label infinite; the message names the column and the row.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
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
