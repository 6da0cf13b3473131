using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Where the rows to score come from, in batches; what is read of a row is the task's to say.</summary>
internal interface IRowSource
{
    /// <summary>Keeps what scores the rows from being freed, until what this gives is disposed.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    Lifetime.Use Enter();

    /// <summary>Begins to read; to be called once.</summary>
    /// <param name="createReader">Makes what reads the row that a cursor stands at, from the task's columns.</param>
    /// <returns>Gives the batch that the current row is in.</returns>
    Func<RowBatch<TRow>> Read<TRow>(Func<DataViewRow, DataViewSchema.Column[], Func<TRow>> createReader);
}
