using Microsoft.ML;

namespace ClusterSample.Client;

/// <summary>A source with the columns that silos compute; each cursor that asks for one of them is a job of its own.</summary>
internal sealed class ClusterDataView(IDataView source, ScoringPlan plan, ScoringJobs jobs) : IDataView
{
    // A cursor reads the source twice, which would not be in the same order.
    public bool CanShuffle => false;

    public DataViewSchema Schema => plan.Schema;

    public long? GetRowCount() => source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new ClusterCursor(source, plan, jobs, columnsNeeded);

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}
