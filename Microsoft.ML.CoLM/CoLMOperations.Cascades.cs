using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>
    /// Finds the cheapest cascade that keeps a metric within <paramref name="tolerance"/> of that of all chains, in one pass
    /// over the rows at all chain counts; nothing is trained.
    /// </summary>
    /// <remarks>
    /// The guarantee is about new rows, equally many and of the same kind: with probability
    /// <see cref="CascadeCalibrationOptions.Confidence"/>, their metric with <see cref="CascadeCalibration.Cascade"/> is at
    /// most <paramref name="tolerance"/> worse than with all chains. The cascade therefore keeps a margin, which is wider the
    /// fewer the rows. It covers the noise of both these rows and the new ones (of the difference per row; z standard errors
    /// times the square root of 2) and the optimism of picking the best of many cascades, which is measured on parts of the
    /// rows held out from the search. Calibrate on rows that were not used for training, and measure on others still.
    /// <para>
    /// Cost is the number of parameters in use (<see cref="CoLMModel.ParameterCount"/>), weighted by tokens. All combinations
    /// of up to five chain counts are tried, of at most three of more counts, and of at most two of more than eight. A cascade
    /// of several counts has the same threshold at each.
    /// </para>
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/> for <see cref="ScoringTask.LanguageModeling"/> or classification, or a fitted
    /// pipeline that contains one, whose preceding transformers are applied. Its own chain count or cascade is ignored.
    /// </param>
    /// <param name="data">The model's input rows, with the label for classification; read once.</param>
    /// <param name="tolerance">
    /// How much worse than with all chains the metric may be, at least 0: how much higher a loss, or how much lower an
    /// accuracy. Infinity allows anything, and so yields the first chain count for all rows.
    /// </param>
    /// <param name="options">Chain counts, confidence, metric and label; null uses the defaults.</param>
    /// <param name="cancellationToken">Cancels before the next row is read.</param>
    /// <returns>
    /// The cascade, with its metric and cost; all chains for every row if no cheaper cascade meets the guarantee
    /// (<see cref="CascadeCalibration.IsFound"/>).
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The model contains no <see cref="ElasticScoringTransformer"/>, or several, or has one chain, or its task does not
    /// support cascades; an option does not fit it; a column is missing or has the wrong type; a label is not one of the
    /// model's classes; or no row has text to score.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance or the confidence is out of range.</exception>
    /// <exception cref="InvalidOperationException">A score is not a finite number.</exception>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    /// <exception cref="OperationCanceledException">The operation, or the MLContext's execution, was cancelled.</exception>
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
