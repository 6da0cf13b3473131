namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Where the texts of rows come from, in batches.</summary>
internal interface ITextBatches
{
    /// <summary>The batch that the current row is in.</summary>
    TextBatch Current();
}
