using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Where the texts of rows come from, in batches.</summary>
internal interface ITextBatches
{
    /// <summary>Keeps what scores the rows from being freed, until what this gives is disposed.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    Lifetime.Use Enter();

    /// <summary>The batch that the current row is in.</summary>
    TextBatch Current();
}
