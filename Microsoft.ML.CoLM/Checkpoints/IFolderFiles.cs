namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>The changes that saving makes to a folder's files; a seam where tests end each of them early.</summary>
internal interface IFolderFiles
{
    /// <summary>Writes a new file, or a file anew, and has the system put its data on the disk.</summary>
    void Write(string path, Action<Stream> write);

    /// <summary>Gives a file another name, in place of the file that had it.</summary>
    void Replace(string from, string to);

    /// <summary>Deletes a file; one that is not there is no error.</summary>
    void Delete(string path);
}
