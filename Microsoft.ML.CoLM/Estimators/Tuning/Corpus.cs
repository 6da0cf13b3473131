using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Documents whose next tokens are learnt, and those to validate with.</summary>
internal sealed class Corpus : IDisposable
{
    private readonly IReadOnlyList<int>[]? _validation;

    private Corpus(TokenSpool spool, IReadOnlyList<int>[]? validation) => (Spool, _validation) = (spool, validation);

    /// <summary>The tokens to train on, at least two.</summary>
    public TokenSpool Spool { get; }

    /// <summary>Reads the rows.</summary>
    /// <param name="input">The rows to train on.</param>
    /// <param name="validationSet">The rows to validate with; null for none.</param>
    /// <param name="column">Their text column.</param>
    /// <param name="model">The model that is trained.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="channel">Asked whether training was cancelled.</param>
    /// <exception cref="ArgumentException">The rows do not suffice.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled meanwhile.</exception>
    public static Corpus Read(
        IDataView input, IDataView? validationSet, TextColumns column, CoLMModel model, Tokenizer tokenizer,
        TrainingChannel channel)
    {
        var spool = TokenSpool.Write(Documents(input, "the training data"));
        try
        {
            if (spool.TokenCount < 2)
            {
                throw new ArgumentException(
                    $"Column '{column.First}' of the training data has one token, and no next one to learn.");
            }
            IReadOnlyList<int>[]? validation = validationSet is null ? null : [.. Documents(validationSet, "the validation set")];
            if (validation is not null)
                LanguageValidation.Check(validation, column.First);
            return new(spool, validation);
        }
        catch
        {
            spool.Dispose();
            throw;
        }

        IEnumerable<IReadOnlyList<int>> Documents(IDataView data, string what) =>
            TextDocuments.Read(data, what, column, model, tokenizer, channel);
    }

    /// <summary>What validates a model as it is; null without a validation set.</summary>
    /// <param name="model">The model.</param>
    /// <param name="scaleWeights">What the last scales, as many as there are weights, count in the objective.</param>
    /// <param name="channel">Ends the validation where training is cancelled, and knows who computes what.</param>
    public Func<Validation>? Validator(CoLMModel model, double[] scaleWeights, TrainingChannel channel) => _validation is { } documents
        ? () => LanguageValidation.Of(model, documents, scaleWeights, channel.CheckAlive, channel.Ranks.Share)
        : null;

    /// <summary>Adds all rows to a fingerprint.</summary>
    public void AddTo(Fingerprint fingerprint)
    {
        Spool.AddTo(fingerprint);
        fingerprint.Add(_validation ?? []);
    }

    public void Dispose() => Spool.Dispose();
}
