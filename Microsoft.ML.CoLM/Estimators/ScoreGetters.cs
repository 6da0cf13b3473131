using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The output columns' getters, in the order of <see cref="ScoringSettings.OutputColumns"/>.</summary>
internal static class ScoreGetters
{
    public static Delegate[] Create(Func<int, bool> isActive, Func<TextScore> current)
    {
        Delegate[] getters =
        [
            (ValueGetter<float>)((ref float value) => value = (float)current().LogProbability),
            (ValueGetter<int>)((ref int value) => value = current().TokenCount),
            (ValueGetter<float>)((ref float value) => value = current().Perplexity),
        ];
        for (var i = 0; i < getters.Length; i++)
        {
            if (!isActive(i))
                getters[i] = null!;
        }
        return getters;
    }
}
