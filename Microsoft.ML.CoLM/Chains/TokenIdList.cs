using System.Collections;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Chains;

/// <summary>Token ids that are equal when their values are, so that records that hold them compare as users expect.</summary>
internal sealed class TokenIdList(IEnumerable<int> ids) : IReadOnlyList<int>, IEquatable<TokenIdList>
{
    private readonly int[] _ids = [.. ids];

    public int Count => _ids.Length;

    public int this[int index] => _ids[index];

    public bool Equals(TokenIdList? other) => other is not null && _ids.AsSpan().SequenceEqual(other._ids);

    public override bool Equals(object? obj) => Equals(obj as TokenIdList);

    public override int GetHashCode() => _ids.Aggregate(_ids.Length, HashCode.Combine);

    public override string ToString() => $"[{ListText.Of(_ids)}]";

    public IEnumerator<int> GetEnumerator() => _ids.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
