namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>The changes that saving makes to a folder's files; a seam where tests end each of them early.</summary>
internal interface IFolderFiles
{
    /// <summary>Writes a new file, and has the system put its data on the disk.</summary>
    /// <exception cref="IOException">There is something of that name, a file or a link.</exception>
    void Write(string path, Action<Stream> write);

    /// <summary>Gives a file another name, in place of the file, or of the link, that had it.</summary>
    void Replace(string from, string to);

    /// <summary>Deletes a file, of a link the link; one that is not there is no error.</summary>
    void Delete(string path);
}
