using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Finds the cascade that keeps a metric within <paramref name="tolerance"/> of all chains' at the least cost, from one pass
    /// over rows at all chain counts; nothing is trained.
    /// </summary>
    /// <remarks>
    /// The promise is of further rows, as many and of the same kind: that their metric with
    /// <see cref="CascadeCalibration.Cascade"/> is at most <paramref name="tolerance"/> worse than with all chains holds with the
    /// probability <see cref="CascadeCalibrationOptions.Confidence"/>. So the cascade keeps a distance, which is wider the fewer
    /// the rows: room for the noise of these rows and of the next ones alike (of what a row differs by between the two; z standard
    /// errors times the square root of 2), and for what the search gains by taking the best of many, which it measures on parts of
    /// the rows that it does not search in. Calibrate on rows that were not trained on, and measure on others than these.
    /// <para>
    /// Cost is the number of parameters in use (<see cref="CoLMModel.ParameterCount"/>), weighed by tokens. All choices of up to
    /// five chain counts are tried, of more counts all of three, of more than eight all of two. A cascade of several counts has
    /// the same threshold at each.
    /// </para>
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/> of <see cref="ScoringTask.LanguageModeling"/> or classification, or a fitted
    /// pipeline that holds one: the rows go through what stands before it. Its own chain count, or cascade, makes no difference.
    /// </param>
    /// <param name="data">The rows that the model gets, with the label of classification, read once.</param>
    /// <param name="tolerance">
    /// How much worse than with all chains the metric may be, at least 0: of a loss how much more, of an accuracy how much less.
    /// Infinity allows everything, and so the first chain count for all rows.
    /// </param>
    /// <param name="options">Chain counts, confidence, metric and label; null takes the defaults.</param>
    /// <param name="cancellationToken">Ends it before the next row is read.</param>
    /// <returns>
    /// The cascade, with its metric and cost; all chains for every row, where none keeps the promise for less
    /// (<see cref="CascadeCalibration.IsFound"/>).
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The model holds no <see cref="ElasticScoringTransformer"/>, or several, or has one chain, or its task has no cascades; an
    /// option does not fit it; a column is missing or of another type; a label is no class of the model; or no row has a text to
    /// score.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance or the confidence is out of range.</exception>
    /// <exception cref="InvalidOperationException">A score is not a finite number.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled, or the MLContext's execution.</exception>
    public CascadeCalibration CalibrateCascade(
        ITransformer model, IDataView data, double tolerance, CascadeCalibrationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        if (!(tolerance >= 0))
        {
            throw new ArgumentOutOfRangeException(nameof(tolerance), FormattableString.Invariant(
                $"{nameof(tolerance)} must be at least 0, found {tolerance}."));
        }
        var copy = options?.Copy() ?? new();
        copy.Check();
        return CascadeCalibrator.Of(_mlContext, model, Stoppable(data, cancellationToken), tolerance, copy);
    }
}
