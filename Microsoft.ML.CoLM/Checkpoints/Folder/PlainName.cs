namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Names of files that other files refer to. They never lead out of the folder.</summary>
internal static class PlainName
{
    /// <summary>Whether the text is the name of a file in the folder itself, on every system.</summary>
    public static bool Is(string name) =>
        name.Length > 0 && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\:\0") < 0;
}
