namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Repeats a part as Oniguruma does, which makes one quantifier of some pairs, not always one of the same meaning.</summary>
internal static class RepeatReduction
{
    private enum Kind
    {
        Optional, // ?
        Any, // *
        Some, // +
        LazyOptional, // ??
        LazyAny, // *?
        LazySome, // +?
        Other,
    }

    /// <summary>A part with a quantifier; whether it is possessive is the caller's matter.</summary>
    public static PatternNode.Repeat Repeat(PatternNode target, Quantifier quantifier)
    {
        var repeat = new PatternNode.Repeat(target, quantifier.Least, quantifier.Most, quantifier.IsLazy);
        if (target is not PatternNode.Repeat inner)
            return repeat;
        if (inner.Least == inner.Most && repeat.Least == repeat.Most)
            return repeat;
        return (KindOf(inner), KindOf(repeat)) switch
        {
            (Kind.Other, _) or (_, Kind.Other) => repeat,
            (Kind.Optional, Kind.Optional) => inner,
            (Kind.Optional, Kind.Any or Kind.Some) => Of(inner.Body, Kind.Any),
            (Kind.Optional, Kind.LazyOptional) => Of(inner.Body, Kind.LazyOptional),
            (Kind.Optional, Kind.LazyAny) => Of(inner.Body, Kind.LazyAny),
            (Kind.Any, Kind.LazyOptional or Kind.LazyAny) => Of(Of(inner.Body, Kind.Some), Kind.LazyOptional),
            (Kind.Any, _) => inner,
            (Kind.Some, Kind.Optional or Kind.Any) => Of(inner.Body, Kind.Any),
            (Kind.Some, Kind.LazyAny) => Of(Of(inner.Body, Kind.Some), Kind.LazyOptional),
            (Kind.Some, Kind.LazyOptional) => repeat,
            (Kind.Some, _) => inner,
            (Kind.LazyOptional, Kind.Optional or Kind.LazyOptional) => inner,
            (Kind.LazyOptional, _) => Of(inner.Body, Kind.LazyAny),
            (Kind.LazyAny, _) => inner,
            (Kind.LazySome, Kind.Optional) => repeat,
            (Kind.LazySome, Kind.Any) => Of(inner.Body, Kind.Any),
            (Kind.LazySome, Kind.Some) => Of(inner.Body, Kind.Some),
            (Kind.LazySome, Kind.LazySome) => inner,
            (Kind.LazySome, _) => Of(inner.Body, Kind.LazyAny),
            _ => repeat,
        };
    }

    private static Kind KindOf(PatternNode.Repeat repeat) => (repeat.Least, repeat.Most, repeat.IsLazy) switch
    {
        (0, 1, false) => Kind.Optional,
        (0, null, false) => Kind.Any,
        (1, null, false) => Kind.Some,
        (0, 1, true) => Kind.LazyOptional,
        (0, null, true) => Kind.LazyAny,
        (1, null, true) => Kind.LazySome,
        _ => Kind.Other,
    };

    private static PatternNode.Repeat Of(PatternNode body, Kind kind) => kind switch
    {
        Kind.Optional => new(body, 0, 1, false),
        Kind.Any => new(body, 0, null, false),
        Kind.Some => new(body, 1, null, false),
        Kind.LazyOptional => new(body, 0, 1, true),
        Kind.LazyAny => new(body, 0, null, true),
        _ => new(body, 1, null, true),
    };
}
