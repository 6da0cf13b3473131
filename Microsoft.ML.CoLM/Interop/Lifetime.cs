namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// Counts who uses something that has memory to free: it is freed when it was disposed and its last user is done, and who
/// comes after that is told so. Safe for several threads.
/// </summary>
/// <param name="owner">What is used; errors name it.</param>
/// <param name="free">Frees it; called once, by whoever is the last.</param>
/// <param name="message">What errors say; null says that it was disposed.</param>
internal sealed class Lifetime(object owner, Action free, string? message = null)
{
    // The lowest bit says that it was disposed, the next one that its only user changes it; the others count users.
    private const int Disposed = 1;
    private const int Alone = 2;
    private const int User = 4;

    private int _state;

    /// <summary>Whether nobody may begin to use it any more; who does already still may.</summary>
    public bool IsDisposed => (Volatile.Read(ref _state) & Disposed) != 0;

    /// <summary>Whether anybody uses it at this moment.</summary>
    public bool IsUsed => Volatile.Read(ref _state) >= User;

    /// <summary>Begins a use, until what this gives is disposed, once.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    /// <exception cref="InvalidOperationException">Somebody uses it alone.</exception>
    public Use Enter() => Enter(User, refused: Alone);

    /// <summary>Begins a use that changes it, and so suffers no other beside it.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    /// <exception cref="InvalidOperationException">Somebody else uses it.</exception>
    public Use EnterAlone() => Enter(User | Alone, refused: ~Disposed);

    /// <summary>Refuses to go on with something that was disposed meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public void Check()
    {
        if (IsDisposed)
            throw Gone();
    }

    /// <summary>Frees it, now or with the last use. All calls but the first do nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Or(ref _state, Disposed) == 0)
            free();
    }

    private ObjectDisposedException Gone() => new(owner.GetType().FullName, message);

    private Use Enter(int added, int refused)
    {
        var state = Volatile.Read(ref _state);
        while (true)
        {
            if ((state & Disposed) != 0)
                throw Gone();
            if ((state & refused) != 0)
            {
                throw new InvalidOperationException($"The {owner.GetType().Name} is in use by another call, which " +
                    "changes it or reads what this one would change. Give each its own, or let one wait for the other.");
            }
            var before = Interlocked.CompareExchange(ref _state, state + added, state);
            if (before == state)
                return new Use(this, added);
            state = before;
        }
    }

    private void Exit(int added)
    {
        if (Interlocked.Add(ref _state, -added) == Disposed)
            free();
    }

    /// <summary>A use, which ends when it is disposed.</summary>
    internal readonly struct Use(Lifetime lifetime, int added) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose() => lifetime.Exit(added);
    }
}
