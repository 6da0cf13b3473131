namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Counts how often the right one of several choices was found.</summary>
internal sealed class ChoiceTally
{
    private readonly Dictionary<int, (long Right, long Predicted)> _choices = [];
    private int _count;
    private long _right;
    private long _rightByCharacters;
    private long _rightByBytes;
    private bool _areAllOfTwo = true;

    /// <summary>Items.</summary>
    public int Count => _count;

    /// <summary>Counts an item.</summary>
    /// <param name="answer">The right choice.</param>
    /// <param name="predicted">The most probable one.</param>
    /// <param name="byCharacters">The most probable one for its characters.</param>
    /// <param name="byBytes">The most probable one for its bytes.</param>
    /// <param name="choiceCount">How many there are.</param>
    public void Add(int answer, int predicted, int byCharacters, int byBytes, int choiceCount)
    {
        checked
        {
            _count++;
        }
        _right += answer == predicted ? 1 : 0;
        _rightByCharacters += answer == byCharacters ? 1 : 0;
        _rightByBytes += answer == byBytes ? 1 : 0;
        _areAllOfTwo &= choiceCount == 2;
        _choices[answer] = Of(answer) with { Right = Of(answer).Right + 1 };
        _choices[predicted] = Of(predicted) with { Predicted = Of(predicted).Predicted + 1 };
    }

    /// <summary>The metrics of the items so far, at least one.</summary>
    public MultipleChoiceMetrics ToMetrics() => new()
    {
        Accuracy = (double)_right / _count,
        NormalizedAccuracy = (double)_rightByCharacters / _count,
        BytesAccuracy = (double)_rightByBytes / _count,
        StandardError = StandardError(_right),
        NormalizedStandardError = StandardError(_rightByCharacters),
        F1Score = _areAllOfTwo ? F1OfChoice1() : double.NaN,
        MatthewsCorrelation = Matthews(),
        Count = _count,
    };

    // s / sqrt(n), s with n - 1: of values that are 0 or 1.
    private double StandardError(long right)
    {
        var mean = (double)right / _count;
        return _count == 1 ? double.NaN : Math.Sqrt(mean * (1 - mean) / (_count - 1));
    }

    private double F1OfChoice1()
    {
        var (right, predicted) = Of(1);
        // Of the two, those of choice 0 that were found are the rest of what was.
        var found = (_right - (_count - right - predicted)) / 2;
        return right + predicted == 0 ? 0 : 2.0 * found / (right + predicted);
    }

    // Of any number of choices, as in scikit-learn: 0 where all answers, or all predictions, are one choice.
    private double Matthews()
    {
        double n = _count;
        var (together, ofAnswers, ofPredictions) = (n * _right, n * n, n * n);
        foreach (var (right, predicted) in _choices.Values)
        {
            together -= (double)right * predicted;
            ofAnswers -= (double)right * right;
            ofPredictions -= (double)predicted * predicted;
        }
        return ofAnswers == 0 || ofPredictions == 0 ? 0 : together / Math.Sqrt(ofAnswers * ofPredictions);
    }

    private (long Right, long Predicted) Of(int choice) => _choices.GetValueOrDefault(choice);
}
