using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Something that stands for a model.</summary>
internal sealed class NoTransformer : ITransformer
{
    public bool IsRowToRowMapper => false;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => throw new NotSupportedException();

    public IRowToRowMapper GetRowToRowMapper(DataViewSchema inputSchema) => throw new NotSupportedException();

    public void Save(ModelSaveContext ctx) => throw new NotSupportedException();

    public IDataView Transform(IDataView input) => throw new NotSupportedException();
}
