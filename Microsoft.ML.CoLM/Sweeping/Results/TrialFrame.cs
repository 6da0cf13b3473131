using Microsoft.Data.Analysis;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Columns as a data frame.</summary>
internal static class TrialFrame
{
    public static DataFrame Of(IEnumerable<TrialColumn> columns) => new(columns.Select(Column));

    private static DataFrameColumn Column(TrialColumn column) => Type.GetTypeCode(column.Type) switch
    {
        TypeCode.Byte => new ByteDataFrameColumn(column.Name, column.Values.Cast<byte?>()),
        TypeCode.SByte => new SByteDataFrameColumn(column.Name, column.Values.Cast<sbyte?>()),
        TypeCode.Int16 => new Int16DataFrameColumn(column.Name, column.Values.Cast<short?>()),
        TypeCode.UInt16 => new UInt16DataFrameColumn(column.Name, column.Values.Cast<ushort?>()),
        TypeCode.Int32 => new Int32DataFrameColumn(column.Name, column.Values.Cast<int?>()),
        TypeCode.UInt32 => new UInt32DataFrameColumn(column.Name, column.Values.Cast<uint?>()),
        TypeCode.Int64 => new Int64DataFrameColumn(column.Name, column.Values.Cast<long?>()),
        TypeCode.UInt64 => new UInt64DataFrameColumn(column.Name, column.Values.Cast<ulong?>()),
        TypeCode.Single => new SingleDataFrameColumn(column.Name, column.Values.Cast<float?>()),
        TypeCode.Double => new DoubleDataFrameColumn(column.Name, column.Values.Cast<double?>()),
        TypeCode.Decimal => new DecimalDataFrameColumn(column.Name, column.Values.Cast<decimal?>()),
        _ => new StringDataFrameColumn(column.Name, column.Values.Cast<string>()),
    };
}
