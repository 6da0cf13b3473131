namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Rank 0's turn.</summary>
internal sealed class DealerTurn(SweepDealer dealer) : MeasuringTurn
{
    protected override bool TryTake() => dealer.TryTakeTurn(rank: 0);

    protected override void GiveBack() => dealer.GiveTurn(rank: 0);
}
