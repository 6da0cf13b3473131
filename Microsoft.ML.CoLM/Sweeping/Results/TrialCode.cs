namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The C# that repeats a trial.</summary>
internal static class TrialCode
{
    public static string Of(ChainTrial trial) => Fitted(trial.Settings) + Switched(trial);

    private static string Fitted(SweepSettings settings) => settings.Values.Count == 0
        ? "model"
        : $"create(new SweepSettings(){string.Concat(settings.Values.Select(
            value => $".Set({CSharpLiteral.Text(value.Key)}, {CSharpLiteral.Of(value.Value)})"))}).Fit(train)";

    private static string Switched(ChainTrial trial) => trial switch
    {
        { Cascade: { } cascade } =>
            $".WithCascade(new() {{ {nameof(cascade.ChainCounts)} = {List(cascade.ChainCounts)}{Thresholds(cascade)} }})",
        { ChainCount: > 0 } => $".WithChainCount({CSharpLiteral.Of(trial.ChainCount)})",
        _ => "",
    };

    private static string Thresholds(CascadeOptions cascade) => cascade switch
    {
        { MaximumLosses: { Count: > 0 } losses } => $", {nameof(cascade.MaximumLosses)} = {List(losses)}",
        { MinimumMargins: { Count: > 0 } margins } => $", {nameof(cascade.MinimumMargins)} = {List(margins)}",
        _ => "",
    };

    private static string List<T>(IEnumerable<T> values) where T : struct =>
        $"[{string.Join(", ", values.Select(value => CSharpLiteral.Of(value)))}]";
}
