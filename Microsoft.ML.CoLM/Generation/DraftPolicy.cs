namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Decides how many tokens to draft in a round of speculative decoding: another one as long as it brings more tokens
/// for its time than the round does without it.
/// </summary>
/// <remarks>
/// The chance that a drafted token is accepted is taken from the first chain's probability of its most probable token,
/// corrected by how often tokens were accepted in the latest rounds beside how often they were expected to be.
/// </remarks>
internal sealed class DraftPolicy
{
    // What a round weighs after the next one, and how many expected and accepted tokens the beginning counts as. What
    // is forgotten of them is made up for in every round: a first chain that was wrong is tried again after a while.
    private const double Memory = 0.9;
    private const double Prior = 0.25;

    private readonly double _draftCost;
    private readonly double[] _chances;
    private double _expected = Prior;
    private double _accepted = Prior;
    private double _tokens;
    private double _cost;
    private double _reach;
    private int _drafted;

    /// <param name="draftCost">The time of a pass through the first chain, in units of one through all in use.</param>
    /// <param name="maxDraftTokens">The most tokens to draft in a round.</param>
    public DraftPolicy(double draftCost, int maxDraftTokens)
    {
        _draftCost = draftCost;
        _chances = new double[maxDraftTokens];
    }

    /// <summary>
    /// The time of a pass through the first chain in units of one through the first <paramref name="chainCount"/>, by
    /// the weights of the layers: chain i's products read i chains.
    /// </summary>
    public static double DraftCost(ChainLayout layout, int chainCount)
    {
        double width = 0, weights = 0;
        for (var chain = 0; chain < chainCount; chain++)
        {
            width += layout.Heads[chain];
            weights += layout.Heads[chain] * width;
        }
        return Math.Pow(layout.Heads[0], 2) / weights;
    }

    /// <summary>Begins a round: a pass without drafts brings one token.</summary>
    /// <returns>Whether a token will be drafted if the first chain is sure enough of it.</returns>
    public bool Begin()
    {
        (_tokens, _cost, _reach, _drafted) = (1, 1, 1, 0);
        return _accepted >= _draftCost * _expected;
    }

    /// <summary>Whether to draft the next token.</summary>
    /// <param name="topProbability">The first chain's probability of its most probable token.</param>
    public bool Wants(double topProbability)
    {
        if (_drafted == _chances.Length)
            return false;
        var reach = _reach * Math.Min(1, topProbability * _accepted / _expected);
        if (reach * _cost < _draftCost * _tokens)
            return false;
        _reach = reach;
        _tokens += reach;
        _cost += _draftCost;
        _chances[_drafted++] = topProbability;
        return true;
    }

    /// <summary>Ends the round.</summary>
    /// <param name="accepted">How many of the drafted tokens were accepted.</param>
    public void End(int accepted)
    {
        // Tokens after the first that was rejected say nothing.
        double expected = 0;
        for (var i = 0; i < Math.Min(_drafted, accepted + 1); i++)
            expected += _chances[i];
        _expected = Memory * _expected + (1 - Memory) * Prior + expected;
        _accepted = Memory * _accepted + (1 - Memory) * Prior + accepted;
    }
}
