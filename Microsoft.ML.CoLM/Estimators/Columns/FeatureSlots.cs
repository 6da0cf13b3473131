using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// Names of a feature vector's slots, such as <c>chain2.17</c>: chains are counted from 1, a chain's features from 0.
/// </summary>
internal static class FeatureSlots
{
    /// <summary>Annotations with the names, which are made when somebody asks for them.</summary>
    /// <param name="config">The model; null where it is not loaded yet, and only the annotation's being there counts.</param>
    /// <param name="chainCount">How many chains' features the vector has.</param>
    public static DataViewSchema.Annotations Annotations(CoLMConfig? config, int chainCount)
    {
        var names = new Lazy<ReadOnlyMemory<char>[]>(() => config is null ? [default] : Names(config, chainCount));
        var builder = new DataViewSchema.Annotations.Builder();
        builder.Add(AnnotationUtils.Kinds.SlotNames,
            new VectorDataViewType(TextDataViewType.Instance, config?.Width(chainCount) ?? 1),
            (ref VBuffer<ReadOnlyMemory<char>> value) => value = new(names.Value.Length, [.. names.Value]));
        return builder.ToAnnotations();
    }

    private static ReadOnlyMemory<char>[] Names(CoLMConfig config, int chainCount) =>
    [
        .. Enumerable.Range(0, chainCount).SelectMany(chain => Enumerable.Range(0, config.Hidden(chain))
            .Select(i => FormattableString.Invariant($"chain{chain + 1}.{i}").AsMemory())),
    ];
}
