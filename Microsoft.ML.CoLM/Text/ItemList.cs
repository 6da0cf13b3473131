using System.Collections;
using System.Globalization;

namespace Microsoft.ML.CoLM.Text;

/// <summary>
/// A list that nobody changes, prints its items, and is equal to one of the same items, so that records which hold it
/// compare as users expect.
/// </summary>
internal sealed class ItemList<T> : IReadOnlyList<T>, IEquatable<ItemList<T>>
{
    private readonly IReadOnlyList<T> _items;

    /// <summary>A copy of items.</summary>
    public ItemList(IEnumerable<T> items) => _items = items.ToArray();

    /// <inheritdoc cref="ItemList{T}(IEnumerable{T})"/>
    public ItemList(ReadOnlySpan<T> items) => _items = items.ToArray();

    private ItemList(IReadOnlyList<T> items) => _items = items;

    public int Count => _items.Count;

    public T this[int index] => _items[index];

    /// <summary>The list of items that their owner no longer changes, not copied.</summary>
    public static ItemList<T> Over(IReadOnlyList<T> items) => new(items);

    public bool Equals(ItemList<T>? other) => other is not null && _items.SequenceEqual(other._items);

    public override bool Equals(object? obj) => Equals(obj as ItemList<T>);

    public override int GetHashCode() => _items.Aggregate(Count, HashCode.Combine);

    public override string ToString() => $"[{string.Join(", ", _items.Select(Text))}]";

    public IEnumerator<T> GetEnumerator() => _items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static string? Text(T item) =>
        item is IFormattable number ? number.ToString(format: null, CultureInfo.InvariantCulture) : item?.ToString();
}
