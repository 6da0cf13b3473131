namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A model that several transformers use; it is disposed with the last of them.</summary>
/// <param name="model">The model.</param>
/// <param name="isOwned">Whether it is to be disposed at all, or belongs to somebody else.</param>
internal sealed class SharedModel(CoLMModel model, bool isOwned)
{
    private int _users;

    public CoLMModel Model => model;

    public bool IsOwned => isOwned;

    /// <summary>Adds a user, as long as there is one, or before the first.</summary>
    public SharedModel Acquire()
    {
        Interlocked.Increment(ref _users);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0)
            return;
        if (isOwned)
            model.Dispose();
    }
}
