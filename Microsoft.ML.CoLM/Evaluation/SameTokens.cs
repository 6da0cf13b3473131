using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Completions that are equal when their tokens are.</summary>
internal sealed class SameTokens : IEqualityComparer<CompletionTokens>
{
    public static SameTokens Comparer { get; } = new();

    public bool Equals(CompletionTokens x, CompletionTokens y) =>
        x.ResponseStart == y.ResponseStart && x.Ids.AsSpan().SequenceEqual(y.Ids);

    public int GetHashCode(CompletionTokens obj)
    {
        var hash = new HashCode();
        hash.Add(obj.ResponseStart);
        hash.AddBytes(MemoryMarshal.AsBytes(obj.Ids.AsSpan()));
        return hash.ToHashCode();
    }
}
