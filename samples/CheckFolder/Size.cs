using System.Globalization;

namespace CheckFolder;

/// <summary>Bytes as people write them.</summary>
internal static class Size
{
    private static readonly string[] Units = ["bytes", "KB", "MB", "GB", "TB"];

    public static string Of(long bytes)
    {
        var (number, unit) = ((double)bytes, 0);
        for (; number >= 1000 && unit < Units.Length - 1; unit++)
            number /= 1000;
        return string.Create(CultureInfo.InvariantCulture, $"{number:G3} {Units[unit]}");
    }
}
