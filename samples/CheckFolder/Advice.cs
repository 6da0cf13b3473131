namespace CheckFolder;

/// <summary>What to do about a folder that does not load.</summary>
internal static class Advice
{
    public static string Of(Exception error) => error switch
    {
        DirectoryNotFoundException or FileNotFoundException =>
            "Give the folder that has config.json, and look whether the download is complete.",
        InvalidDataException when error.Message.Contains("not supported", StringComparison.Ordinal) =>
            "This kind of model is not computed here: take another, or report this output.",
        InvalidDataException => "Download the file that is named again; if it stays so, report this output.",
        UnauthorizedAccessException => "Give yourself the right to read the folder's files.",
        _ => "Report this output.",
    };
}
