namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a rank is to do next.</summary>
/// <param name="Kind">What.</param>
/// <param name="Candidate">The candidate to try.</param>
internal readonly record struct Deal(Deal.What Kind, int Candidate = 0)
{
    internal enum What
    {
        /// <summary>Ask again: others measure, or have not ended.</summary>
        Wait,

        /// <summary>Try a candidate.</summary>
        Try,

        /// <summary>Load models that have come.</summary>
        Load,

        /// <summary>Nothing is left.</summary>
        End,
    }
}
