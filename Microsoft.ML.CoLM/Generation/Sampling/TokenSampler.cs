using System.Numerics.Tensors;
using Microsoft.ML.CoLM.Inference;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// From logits to a token, as Hugging Face's processors do it: repetition penalty, then, unless it is greedy,
/// temperature, top-k, top-p and min-p. Holds no state of a sequence; not safe for several threads.
/// </summary>
internal sealed class TokenSampler
{
    private readonly float _temperature;
    private readonly int _topK;
    private readonly double _topP;
    private readonly float _minP;
    private readonly float _penalty;
    private readonly int _vocabularySize;
    private readonly TokenDistribution _distribution = new();
    private float[]? _scores;
    private int[]? _allIds;

    /// <param name="options">Checked options.</param>
    /// <param name="vocabularySize">V, the length of the logits.</param>
    public TokenSampler(GenerationOptions options, int vocabularySize)
    {
        _temperature = (float)options.Temperature;
        _topK = Math.Min(options.TopK ?? vocabularySize, vocabularySize);
        _topP = options.TopP;
        _minP = (float)options.MinP;
        _penalty = (float)options.RepetitionPenalty;
        _vocabularySize = vocabularySize;
    }

    /// <summary>Whether the most probable token is taken.</summary>
    public bool IsGreedy => _temperature == 0;

    /// <summary>Whether the token of the largest logit is taken, whatever came before it.</summary>
    public bool TakesLargest => IsGreedy && _penalty == 1;

    /// <summary>How many of the largest logits are enough to choose by; 0 where all are needed.</summary>
    public int CandidateCount => !IsGreedy && _penalty == 1 && _topK < _vocabularySize ? _topK : 0;

    /// <summary>The token of the largest logit.</summary>
    /// <exception cref="InvalidOperationException">Logits are not numbers.</exception>
    public static int Take(LargestLogit largest)
    {
        Number(largest.Logit);
        return largest.Token;
    }

    /// <summary>Chooses the next token.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="history">The sequence's tokens so far; needed for a repetition penalty only.</param>
    /// <param name="random">Not touched when greedy.</param>
    /// <exception cref="InvalidOperationException">Logits are not numbers.</exception>
    public int Sample(ReadOnlySpan<float> logits, TokenHistory? history, Random random)
    {
        if (IsGreedy)
            return MostProbable(Penalised(logits, history));
        Fill(_distribution, logits, history);
        return _distribution.Draw(random);
    }

    /// <summary>Chooses the next token of a row among candidates.</summary>
    public int Sample(LogitCandidates candidates, int row, Random random)
    {
        Fill(_distribution, candidates, row);
        return _distribution.Draw(random);
    }

    /// <summary>
    /// As <see cref="Sample(ReadOnlySpan{float}, TokenHistory?, Random)"/>, and says how clear the choice was.
    /// </summary>
    public int Sample(
        ReadOnlySpan<float> logits, TokenHistory? history, Random random, out double entropy, out double margin)
    {
        Fill(_distribution, logits, history);
        (entropy, margin) = _distribution.Confidence();
        return IsGreedy ? MostProbable(Penalised(logits, history)) : _distribution.Draw(random);
    }

    /// <summary>
    /// The distribution that <see cref="Sample(ReadOnlySpan{float}, TokenHistory?, Random)"/> draws from; when greedy,
    /// the model's own after the repetition penalty.
    /// </summary>
    /// <exception cref="InvalidOperationException">Logits are not numbers.</exception>
    public void Fill(TokenDistribution distribution, ReadOnlySpan<float> logits, TokenHistory? history)
    {
        var scores = Penalised(logits, history);
        var best = Number(TensorPrimitives.Max(scores));
        if (IsGreedy)
        {
            distribution.Assign(scores, AllIds());
            distribution.Exponentiate(best, temperature: 1);
            return;
        }
        if (_topK < _vocabularySize)
            distribution.AssignLargest(scores, _topK);
        else
            distribution.Assign(scores, AllIds());
        Narrow(distribution, best);
    }

    /// <summary>As the other, where <see cref="CandidateCount"/> of the largest logits are enough.</summary>
    public void Fill(TokenDistribution distribution, LogitCandidates candidates, int row)
    {
        var best = Number(candidates.Best(row));
        distribution.AssignLargest(candidates.Logits(row), candidates.Ids(row), _topK);
        Narrow(distribution, best);
    }

    /// <summary>Makes probable tokens of scores, as temperature, top-p and min-p want them.</summary>
    private void Narrow(TokenDistribution distribution, float best)
    {
        distribution.Exponentiate(best, _temperature);
        if (_topP < 1)
            distribution.KeepProbability(_topP);
        if (_minP > 0)
            distribution.KeepWeight(_minP);
    }

    private ReadOnlySpan<float> Penalised(ReadOnlySpan<float> logits, TokenHistory? history)
    {
        if (_penalty == 1 || history is null)
            return logits;
        _scores ??= new float[_vocabularySize];
        logits.CopyTo(_scores);
        foreach (var id in history.Distinct)
            _scores[id] = _scores[id] < 0 ? _scores[id] * _penalty : _scores[id] / _penalty;
        return _scores;
    }

    private static int MostProbable(ReadOnlySpan<float> scores)
    {
        // Of equal scores this is the first, and NaN is above all numbers.
        var best = TensorPrimitives.IndexOfMax(scores);
        Number(scores[best]);
        return best;
    }

    private static float Number(float best) => float.IsFinite(best)
        ? best
        : throw new InvalidOperationException(FormattableString.Invariant(
            $"The model's logits must be numbers to choose a token by, found {best} as the largest."));

    private int[] AllIds() => _allIds ??= [.. Enumerable.Range(0, _vocabularySize)];
}
