using Microsoft.ML.CoLM.Checkpoints;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>Looks whether a folder can be loaded, and what it holds, without reading its weights.</summary>
    /// <param name="folder">A folder as for <see cref="Load"/>.</param>
    /// <remarks>
    /// The configuration, the headers of all files of weights and the tokenizer are read and checked as for <see cref="Load"/>,
    /// which takes seconds for models of any size; elements of weights, which may be NaN, are not. No native library is needed.
    /// </remarks>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, or the path is a file's.</exception>
    /// <exception cref="FileNotFoundException">The folder has no <c>config.json</c>, or lacks weights.</exception>
    /// <exception cref="IOException">
    /// An interrupted save could not be finished, or the files kept changing while they were opened.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, or of a kind that is not supported; the message names it, the setting, and what was expected and found.
    /// </exception>
    /// <exception cref="ArgumentException"><paramref name="folder"/> is empty.</exception>
    public static CoLMModelInfo Inspect(string folder) => ModelFolder.Inspect(folder);
}
