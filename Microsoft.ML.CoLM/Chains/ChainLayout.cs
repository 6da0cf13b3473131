using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The number of attention heads of each chain, C = {c_1, ..., c_n} (arXiv 2505.11820): <c>{32}</c> is an ordinary LLaMA,
/// <c>{32,8}</c> adds a chain a quarter as wide as the first.
/// </summary>
/// <remarks>Immutable; two layouts are equal when their head counts are. Its text form is <c>"32,8"</c>.</remarks>
public sealed class ChainLayout : IEquatable<ChainLayout>
{
    private readonly int[] _heads;

    /// <summary>Creates a layout from the number of attention heads of each chain, first chain first.</summary>
    /// <param name="heads">At least one count; every count at least 1.</param>
    /// <exception cref="ArgumentException">There is no chain, or a chain has fewer than one head.</exception>
    public ChainLayout(params int[] heads)
    {
        ArgumentNullException.ThrowIfNull(heads);
        if (heads.Length == 0)
            throw new ArgumentException("A chain layout needs at least one chain, found none.", nameof(heads));
        for (var chain = 0; chain < heads.Length; chain++)
        {
            if (heads[chain] < 1)
            {
                throw new ArgumentException(
                    $"Every chain needs at least one attention head, but chain {chain + 1} has {heads[chain]}.",
                    nameof(heads));
            }
        }
        _heads = [.. heads];
        Heads = new ItemList<int>(_heads);
    }

    /// <summary>The number of chains, n.</summary>
    public int ChainCount => _heads.Length;

    /// <summary>The number of attention heads of each chain, first chain first.</summary>
    public IReadOnlyList<int> Heads { get; }

    /// <summary>Parses the text form, for example <c>"32,8"</c>.</summary>
    /// <exception cref="ArgumentException">The text is not a comma-separated list of positive whole numbers.</exception>
    public static ChainLayout Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var parts = text.Split(',');
        var heads = new int[parts.Length];
        for (var chain = 0; chain < parts.Length; chain++)
        {
            if (!int.TryParse(parts[chain].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out heads[chain]))
            {
                throw new ArgumentException(
                    $"A chain layout is a list of head counts such as \"32,8\", found \"{text}\".", nameof(text));
            }
        }
        return new ChainLayout(heads);
    }

    /// <summary>This layout followed by further chains.</summary>
    internal ChainLayout Append(params ReadOnlySpan<int> addedChains) => new([.. _heads, .. addedChains]);

    /// <summary>The first <paramref name="chainCount"/> chains.</summary>
    internal ChainLayout Take(int chainCount) => new(_heads[..chainCount]);

    /// <summary>Throws unless 1 ≤ <paramref name="chainCount"/> ≤ <see cref="ChainCount"/>.</summary>
    internal void CheckChainCount(int chainCount)
    {
        if (chainCount < 1 || chainCount > ChainCount)
        {
            throw new ArgumentOutOfRangeException(nameof(chainCount),
                FormattableString.Invariant(
                    $"chainCount must be between 1 and the model's {ChainCount} chains ({{{this}}}), found {chainCount}."));
        }
    }

    /// <inheritdoc/>
    public bool Equals(ChainLayout? other) => other is not null && _heads.AsSpan().SequenceEqual(other._heads);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChainLayout);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var heads in _heads)
            hash.Add(heads);
        return hash.ToHashCode();
    }

    /// <summary>Returns the text form, for example <c>"32,8"</c>.</summary>
    public override string ToString() => string.Join(',', _heads);
}
