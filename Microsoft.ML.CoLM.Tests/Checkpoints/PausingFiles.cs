using Microsoft.ML.CoLM.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Files that stop before a rename until they are told to go on.</summary>
/// <param name="reached">Set when the rename is asked for.</param>
/// <param name="goOn">Waited for before it is done.</param>
/// <param name="skip">How many renames go before it.</param>
internal sealed class PausingFiles(ManualResetEventSlim reached, ManualResetEventSlim goOn, int skip = 0) : IFolderFiles
{
    private int _renames;

    public void Write(string path, Action<Stream> write) => DiskFiles.Instance.Write(path, write);

    public void Replace(string from, string to)
    {
        if (_renames++ == skip)
        {
            reached.Set();
            goOn.Wait();
        }
        DiskFiles.Instance.Replace(from, to);
    }

    public void Delete(string path) => DiskFiles.Instance.Delete(path);
}
