namespace Microsoft.ML.CoLM.Inference;

/// <summary>Tokens of the largest logits of some rows.</summary>
internal sealed class LogitCandidates
{
    private readonly List<int> _starts = [];
    private float[] _best = [];
    private int[] _ids = [];
    private float[] _logits = [];

    /// <summary>The largest logit of a row, counted from the first that was asked for; NaN where any is.</summary>
    public float Best(int row) => _best[row];

    /// <summary>A row's tokens in rising order.</summary>
    public ReadOnlySpan<int> Ids(int row) => _ids.AsSpan(_starts[row].._starts[row + 1]);

    /// <summary>Their logits.</summary>
    public ReadOnlySpan<float> Logits(int row) => _logits.AsSpan(_starts[row].._starts[row + 1]);

    /// <summary>Takes what was found.</summary>
    /// <param name="best">Each row's largest logit.</param>
    /// <param name="places">A row and a token for each candidate, in rising order.</param>
    /// <param name="logits">Each candidate's logit.</param>
    public void Assign(float[] best, long[] places, float[] logits)
    {
        (_best, _logits, _ids) = (best, logits, new int[logits.Length]);
        _starts.Clear();
        for (var i = 0; i < logits.Length; i++)
        {
            while (_starts.Count <= places[2 * i])
                _starts.Add(i);
            _ids[i] = (int)places[2 * i + 1];
        }
        while (_starts.Count <= best.Length)
            _starts.Add(logits.Length);
    }
}
