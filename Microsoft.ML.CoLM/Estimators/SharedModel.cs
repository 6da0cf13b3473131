namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A model that several transformers use; it is disposed with the last of them.</summary>
/// <param name="model">The model.</param>
/// <param name="isOwned">Whether it is to be disposed at all, or belongs to somebody else.</param>
/// <param name="head">A task's head, disposed with the last of them in any case; null where there is none.</param>
internal sealed class SharedModel(CoLMModel model, bool isOwned, IDisposable? head = null)
{
    private int _users;

    public CoLMModel Model => model;

    public SharedModel Acquire()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        head?.Dispose();
        if (isOwned)
            model.Dispose();
    }
}
