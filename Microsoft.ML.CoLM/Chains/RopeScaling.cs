using System.Globalization;

namespace Microsoft.ML.CoLM;

/// <summary>
/// How a model's rotary embedding is modified for texts longer than those of its original training:
/// <see cref="LinearRopeScaling"/>, <see cref="DynamicRopeScaling"/>, <see cref="YarnRopeScaling"/> or
/// <see cref="Llama3RopeScaling"/>.
/// </summary>
/// <remarks>
/// Each computes the same as the Hugging Face rope type of that name. Immutable; two are equal if their types and settings are.
/// </remarks>
public abstract class RopeScaling : IEquatable<RopeScaling>
{
    private protected RopeScaling(double factor, int originalContextLength) =>
        (Factor, OriginalContextLength) = (factor, originalContextLength);

    /// <summary>How many times longer a text may be.</summary>
    public double Factor { get; }

    /// <summary>The context length, in tokens, of the original training.</summary>
    public int OriginalContextLength { get; }

    /// <summary>The multiplier of the cosines and sines of all angles.</summary>
    internal virtual double Amplitude => 1;

    /// <summary>The context in tokens of a model whose <c>max_position_embeddings</c> is given; it may be too long.</summary>
    internal virtual double ContextOf(int maxPositions) => maxPositions;

    /// <summary>The <c>max_position_embeddings</c> of a model whose context is given.</summary>
    internal virtual int MaxPositionsOf(int context) => context;

    /// <summary>The settings that angles depend on, by their names here; null is one that is not set.</summary>
    internal virtual IEnumerable<(string Name, double? Value)> Settings =>
        [(nameof(Factor), Factor), (nameof(OriginalContextLength), OriginalContextLength)];

    /// <summary>All that was given, by name; null is what was not.</summary>
    private protected virtual IEnumerable<(string Name, object? Value)> Given =>
        Settings.Select(setting => (setting.Name, (object?)setting.Value));

    /// <inheritdoc/>
    public bool Equals(RopeScaling? other) =>
        other is not null && other.GetType() == GetType() && other.Given.SequenceEqual(Given);

    /// <inheritdoc/>
    public sealed override bool Equals(object? obj) => Equals(obj as RopeScaling);

    /// <inheritdoc/>
    public sealed override int GetHashCode() => HashCode.Combine(GetType(), Factor, OriginalContextLength);

    /// <summary>Whether types and settings are the same.</summary>
    public static bool operator ==(RopeScaling? left, RopeScaling? right) => Equals(left, right);

    /// <summary>Whether types or settings differ.</summary>
    public static bool operator !=(RopeScaling? left, RopeScaling? right) => !Equals(left, right);

    /// <summary>Returns the type and its settings.</summary>
    public sealed override string ToString() => GetType().Name + ": " + string.Join(", ", Given
        .Where(setting => setting.Value is not null)
        .Select(setting => string.Create(CultureInfo.InvariantCulture, $"{setting.Name} {setting.Value}")));

    /// <summary>The scaled frequency of a pair of features.</summary>
    /// <param name="frequency">Radians that a position turns it by without scaling.</param>
    /// <param name="pair">The pair, from 0 on.</param>
    /// <param name="config">The model's.</param>
    internal virtual double Scale(double frequency, int pair, CoLMConfig config) => frequency;

    /// <summary>Rejects settings that yield no angles.</summary>
    /// <exception cref="ArgumentException">One is out of range; the message names it.</exception>
    internal virtual void Check(CoLMConfig config)
    {
        Require(Factor > 0 && double.IsFinite(Factor), nameof(Factor), Factor, "a positive number");
        Require(OriginalContextLength > 0, nameof(OriginalContextLength), OriginalContextLength, "at least 1");
    }

    /// <summary>Rejects a context that is not the original one times the factor.</summary>
    private protected void RequireContext(CoLMConfig config)
    {
        var context = Math.Floor(ContextOf(OriginalContextLength));
        if (config.ContextLength == context)
            return;
        throw new ArgumentException(FormattableString.Invariant(
            $"{nameof(CoLMConfig.ContextLength)} must be {context}, the {nameof(RopeScaling)}'s original context of {OriginalContextLength} tokens times its factor of {Factor}, found {config.ContextLength}."));
    }

    private protected static void Require(bool holds, string name, double? found, string expected)
    {
        if (holds)
            return;
        throw new ArgumentException(FormattableString.Invariant(
            $"{nameof(RopeScaling)}.{name} must be {expected}, found {found}."));
    }
}
