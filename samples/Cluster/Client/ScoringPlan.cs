using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Client;

/// <summary>Which columns of a pipeline's output are the input's own, and what the others are computed from.</summary>
internal sealed class ScoringPlan
{
    private readonly DataViewSchema.Column?[] _sources;
    private readonly int[] _computed;

    private ScoringPlan(DataViewSchema schema, DataViewSchema.Column?[] sources, DataViewSchema.Column[] inputs)
    {
        (Schema, _sources, Inputs) = (schema, sources, inputs);
        Computed = [.. schema.Where(column => IsComputed(column))];
        _computed = [.. schema.Select(column => Array.FindIndex(Computed, computed => computed.Index == column.Index))];
    }

    /// <summary>The output's schema, with all annotations.</summary>
    public DataViewSchema Schema { get; }

    /// <summary>The input's columns that computed ones depend on: what blocks carry to silos.</summary>
    public DataViewSchema.Column[] Inputs { get; }

    /// <summary>The output's columns that silos compute: what blocks carry back. Hidden ones nobody can ask a view for.</summary>
    public DataViewSchema.Column[] Computed { get; }

    /// <summary>Plans it.</summary>
    /// <exception cref="ArgumentException">The input lacks a column that the model reads.</exception>
    public static ScoringPlan Create(ITransformer model, DataViewSchema input)
    {
        var mapper = model.GetRowToRowMapper(input);
        var schema = mapper.OutputSchema;
        // What only passes through has the very getter of the input's row; whatever has another is taken for computed.
        var probe = new ProbeRow(input);
        using var row = mapper.GetRow(probe, schema);
        var getters = input.ToDictionary(column => GetterOf(probe, column), column => column);
        DataViewSchema.Column?[] sources = [.. schema.Select(column =>
            getters.TryGetValue(GetterOf(row, column), out var source) ? source : (DataViewSchema.Column?)null)];
        var computed = schema.Where(column => sources[column.Index] is null && !column.IsHidden);
        return new(schema, sources, [.. mapper.GetDependencies(computed)]);
    }

    /// <summary>The input's column that a column of the output is; null for a computed one.</summary>
    public DataViewSchema.Column? SourceOf(DataViewSchema.Column column) => _sources[column.Index];

    /// <summary>Which of <see cref="Computed"/> a column of the output is; -1 for one that is not among them.</summary>
    public int ComputedIndexOf(DataViewSchema.Column column) => _computed[column.Index];

    private bool IsComputed(DataViewSchema.Column column) => _sources[column.Index] is null && !column.IsHidden;

    private static Delegate GetterOf(DataViewRow row, DataViewSchema.Column column) => (Delegate)typeof(DataViewRow)
        .GetMethod(nameof(DataViewRow.GetGetter))!.MakeGenericMethod(column.Type.RawType)
        .Invoke(row, BindingFlags.DoNotWrapExceptions, binder: null, [column], culture: null)!;

    /// <summary>A row whose getters are known again.</summary>
    private sealed class ProbeRow(DataViewSchema schema) : DataViewRow
    {
        private readonly Probe[] _probes = [.. schema.Select(column => new Probe(column.Name))];

        public override DataViewSchema Schema => schema;

        public override long Position => 0;

        public override long Batch => 0;

        public override bool IsColumnActive(DataViewSchema.Column column) => true;

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column) => _probes[column.Index].Get;

        public override ValueGetter<DataViewRowId> GetIdGetter() => (ref DataViewRowId value) => value = default;
    }

    // Two getters of one probe are equal.
    private sealed class Probe(string column)
    {
        public void Get<TValue>(ref TValue value) => throw new InvalidOperationException($"Column '{column}' was read of no row.");
    }
}
