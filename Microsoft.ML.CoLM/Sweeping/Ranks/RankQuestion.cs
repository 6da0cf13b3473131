namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a rank asks rank 0: the first byte of its message.</summary>
internal enum RankQuestion : byte
{
    /// <summary>Whether the sweep goes on; says why it is to end, where this rank was cancelled.</summary>
    GoesOn,

    /// <summary>The next candidate.</summary>
    Next,

    /// <summary>Whether a model of trials at such points is wanted.</summary>
    Wants,

    /// <summary>Takes bytes of a model's zip.</summary>
    Chunk,

    /// <summary>Takes a candidate's trials.</summary>
    Done,

    /// <summary>Whether this rank may measure now.</summary>
    TakeTurn,

    /// <summary>Takes the turn back.</summary>
    GiveTurn,

    /// <summary>All trials of the sweep.</summary>
    Results,
}
