using Microsoft.ML.CoLM.Checkpoints;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>Checks whether a folder can be loaded, and what it contains, without reading its weights.</summary>
    /// <param name="folder">A folder as for <see cref="Load"/>.</param>
    /// <remarks>
    /// The configuration, the headers of all weights files and the tokenizer are read and checked as for <see cref="Load"/>,
    /// which takes seconds for models of any size; the weights themselves, which may be NaN, are not. No native library is
    /// needed.
    /// </remarks>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist, or the path is a file.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>config.json</c>, or lacks weights.</exception>
    /// <exception cref="IOException">
    /// An interrupted save could not be completed, or the files kept changing while they were being opened.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, or of an unsupported kind; the message names it, the setting, and what was expected and found.
    /// </exception>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is empty.</exception>
    public static CoLMModelInfo Inspect(string folder) => ModelFolder.Inspect(folder);
}
