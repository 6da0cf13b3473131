using System.CommandLine;
using ClusterSample.Membership;

namespace ClusterSample.Commands;

/// <summary>Options of several commands.</summary>
internal static class CommonOptions
{
    public static Option<FileInfo> Model() => new Option<FileInfo>("--model")
    {
        Description = "zip of a fitted pipeline that holds a model",
        HelpName = "ZIP",
        Required = true,
    }.AcceptExistingOnly();

    public static Option<string> Membership() => new("--membership")
    {
        Description = "where silos find each other: file=PATH on one machine, redis=HOST:PORT on several; " +
            "without it, a file in the user's folder for local data",
    };

    /// <summary>A number of at least 1, or of what is said.</summary>
    public static Option<int> Number(string name, string description, int byDefault, int atLeast = 1) =>
        Checked(new Option<int>(name) { Description = description, DefaultValueFactory = _ => byDefault }, atLeast);

    /// <summary>The same without a default.</summary>
    public static Option<int?> OptionalNumber(string name, string description, int atLeast = 1) =>
        Checked(new Option<int?>(name) { Description = description }, atLeast);

    /// <summary>The membership that was asked for, or the default.</summary>
    public static ClusterMembership MembershipOf(string? text) =>
        ClusterMembership.Parse(text ?? $"file={ClusterMembership.DefaultPath}");

    private static Option<T> Checked<T>(Option<T> option, int atLeast)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && int.TryParse(token.Value, out var number) && number < atLeast)
                result.AddError(FormattableString.Invariant($"{option.Name} must be at least {atLeast}, found {number}."));
        });
        return option;
    }
}
