namespace ForgettingStudy;

/// <summary>Which chain counts are trained.</summary>
internal enum TrainedScales
{
    /// <summary>All together, with the multi-chain objective.</summary>
    All,

    /// <summary>The frozen chains' alone.</summary>
    First,

    /// <summary>That of all chains alone.</summary>
    Last,
}
