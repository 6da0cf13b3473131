namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>How deep rows go: all of them so many chains, or each as many as a cascade finds that it needs.</summary>
/// <param name="ChainCount">The most chains that a row is computed with.</param>
/// <param name="Cascade">Where rows stop; null computes all of them with all the chains.</param>
internal readonly record struct Depth(int ChainCount, Cascade? Cascade = null)
{
    public Depth(Cascade cascade) : this(cascade.ChainCounts[^1], cascade)
    {
    }

    /// <summary>Refuses a model without so many chains.</summary>
    /// <exception cref="ArgumentException">The message names what asks for them.</exception>
    public void CheckFits(ChainLayout layout)
    {
        if (Cascade is { } cascade)
            CascadeOptions.CheckFits(cascade.ChainCounts, layout);
        layout.CheckChainCount(ChainCount);
    }
}
