using System.Collections;

namespace Microsoft.ML.CoLM.Text;

/// <summary>
/// A list that nobody changes, prints its items, and is equal to one of the same items, so that records which hold it
/// compare as users expect.
/// </summary>
internal sealed class ItemList<T>(IEnumerable<T> items) : IReadOnlyList<T>, IEquatable<ItemList<T>>
    where T : struct, IEquatable<T>, IFormattable
{
    private readonly T[] _items = [.. items];

    public int Count => _items.Length;

    public T this[int index] => _items[index];

    public bool Equals(ItemList<T>? other) => other is not null && _items.AsSpan().SequenceEqual(other._items);

    public override bool Equals(object? obj) => Equals(obj as ItemList<T>);

    public override int GetHashCode() => _items.Aggregate(_items.Length, HashCode.Combine);

    public override string ToString() => $"[{ListText.Of(_items)}]";

    public IEnumerator<T> GetEnumerator() => _items.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
