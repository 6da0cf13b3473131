namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The turn of a rank other than 0.</summary>
internal sealed class RankTurn(RankLink link) : MeasuringTurn
{
    protected override bool TryTake() => link.Ask(RankQuestion.TakeTurn).IsYes;

    protected override void GiveBack() => link.Ask(RankQuestion.GiveTurn);
}
