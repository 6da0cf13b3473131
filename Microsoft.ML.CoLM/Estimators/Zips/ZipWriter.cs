using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// A component's part of an ML.NET zip while it is written: settings in its own entry, files beside it, and at the end
/// of the settings what vouches for all of them.
/// </summary>
/// <remarks>
/// Behind the settings stand the name and SHA-256 of every file, where that list begins, and the <see cref="ZipSeal"/> of
/// the settings and the list.
/// </remarks>
/// <param name="context">The zip.</param>
/// <param name="version">The component's version.</param>
internal sealed class ZipWriter(ModelSaveContext context, VersionInfo version)
{
    private readonly List<KeyValuePair<string, byte[]>> _digests = [];

    /// <summary>Writes settings.</summary>
    public BinaryWriter Writer => context.Writer;

    public void SaveString(string text) => context.SaveString(text);

    public void SaveNonEmptyString(string text) => context.SaveNonEmptyString(text);

    public void SaveStringOrNull(string? text) => context.SaveStringOrNull(text);

    /// <summary>Writes a file beside the settings, straight into the zip.</summary>
    public void SaveFile(string name, Action<Stream> write) => ModelArchive.Write(context, name, stream =>
    {
        using var hashed = new HashedStream(stream);
        write(hashed);
        _digests.Add(new(name, hashed.Hash()));
    });

    /// <summary>Ends the settings.</summary>
    public void Seal()
    {
        var begin = Writer.BaseStream.Position - context.FpMin - context.Header.FpModel;
        Writer.Write(_digests.Count);
        foreach (var (name, digest) in _digests)
        {
            Writer.Write(name);
            Writer.Write(digest);
        }
        Writer.Write(begin);
        Writer.Flush();

        var stream = Writer.BaseStream;
        var end = stream.Position;
        stream.Position = context.FpMin + context.Header.FpModel;
        var settings = new byte[end - stream.Position];
        stream.ReadExactly(settings);
        Writer.Write(ZipSeal.Of(context.Header, version.LoaderAssemblyName,
            [.. context.Strings.Select(text => text.Value.ToString())], settings));
    }
}
