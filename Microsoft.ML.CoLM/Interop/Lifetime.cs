namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Counts who uses something that has memory to free: it is freed when it was disposed and its last user is done, and who
/// comes after that is told so. Safe for several threads.
/// </summary>
/// <param name="owner">What is used; errors name it.</param>
/// <param name="free">Frees it; called once, by whoever is the last.</param>
internal sealed class Lifetime(object owner, Action free)
{
    // The lowest bit says that it was disposed; the others count users.
    private const int Disposed = 1;
    private const int User = 2;

    private int _state;

    /// <summary>Whether nobody may begin to use it any more; who does already still may.</summary>
    public bool IsDisposed => (Volatile.Read(ref _state) & Disposed) != 0;

    /// <summary>Begins a use, until what this gives is disposed, once.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public Use Enter()
    {
        var state = Volatile.Read(ref _state);
        while (true)
        {
            ObjectDisposedException.ThrowIf((state & Disposed) != 0, owner);
            var before = Interlocked.CompareExchange(ref _state, state + User, state);
            if (before == state)
                return new Use(this);
            state = before;
        }
    }

    /// <summary>Refuses to go on with something that was disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public void Check() => ObjectDisposedException.ThrowIf(IsDisposed, owner);

    /// <summary>Frees it, now or with the last use. All calls but the first do nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Or(ref _state, Disposed) == 0)
            free();
    }

    private void Exit()
    {
        if (Interlocked.Add(ref _state, -User) == Disposed)
            free();
    }

    /// <summary>A use, which ends when it is disposed.</summary>
    internal readonly struct Use(Lifetime lifetime) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => lifetime.Exit();
    }
}
