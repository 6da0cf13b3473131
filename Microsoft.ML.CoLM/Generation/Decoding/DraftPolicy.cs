namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Decides how many tokens to draft in a round of speculative decoding: another one as long as it brings more tokens
/// for its time than the round does without it.
/// </summary>
/// <remarks>
/// The chance that a drafted token is accepted is how often tokens were in the latest rounds: those that the first chain
/// gave more than half of the probability, and the others.
/// </remarks>
internal sealed class DraftPolicy
{
    // What a round weighs after the next one. What is forgotten is made up for by the beginning's tokens, so that a first
    // chain that was wrong is tried again after a while.
    private const double Memory = 0.98;
    private const double TriedAtFirst = 1;
    private const double AcceptedAtFirst = 0.65;

    private readonly double _draftCost;
    private readonly bool[] _wereSure;
    private Record _sure = new(TriedAtFirst, AcceptedAtFirst);
    private Record _unsure = new(TriedAtFirst, AcceptedAtFirst);
    private double _tokens;
    private double _cost;
    private double _reach;
    private int _drafted;

    /// <param name="draftCost">The time of a pass through the first chain, in units of one through all in use.</param>
    /// <param name="maxDraftTokens">The most tokens to draft in a round.</param>
    public DraftPolicy(double draftCost, int maxDraftTokens)
    {
        _draftCost = draftCost;
        _wereSure = new bool[maxDraftTokens];
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
        return Math.Max(_sure.Rate, _unsure.Rate) >= _draftCost;
    }

    /// <summary>Whether to draft the next token.</summary>
    /// <param name="topProbability">The first chain's probability of its most probable token.</param>
    public bool Wants(double topProbability)
    {
        if (_drafted == _wereSure.Length)
            return false;
        var isSure = topProbability > 0.5;
        var reach = _reach * (isSure ? _sure : _unsure).Rate;
        if (reach * _cost < _draftCost * _tokens)
            return false;
        _reach = reach;
        _tokens += reach;
        _cost += _draftCost;
        _wereSure[_drafted++] = isSure;
        return true;
    }

    /// <summary>Ends the round.</summary>
    /// <param name="accepted">How many of the drafted tokens were accepted.</param>
    public void End(int accepted)
    {
        (_sure, _unsure) = (_sure.Fade(), _unsure.Fade());
        // Tokens after the first that was rejected say nothing.
        for (var i = 0; i < Math.Min(_drafted, accepted + 1); i++)
        {
            if (_wereSure[i])
                _sure = _sure.Add(i < accepted);
            else
                _unsure = _unsure.Add(i < accepted);
        }
    }

    private readonly record struct Record(double Tried, double Accepted)
    {
        public double Rate => Accepted / Tried;

        public Record Add(bool isAccepted) => new(Tried + 1, Accepted + (isAccepted ? 1 : 0));

        public Record Fade() => new(
            Memory * Tried + (1 - Memory) * TriedAtFirst, Memory * Accepted + (1 - Memory) * AcceptedAtFirst);
    }
}
