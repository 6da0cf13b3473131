using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Where the rows of a pass stand, on the device.</summary>
/// <param name="Ids">[rows], Int64.</param>
/// <param name="Sequences">[rows], Int64.</param>
/// <param name="Positions">[rows], Int64.</param>
/// <param name="Mask">[rows, 1, 1, keys], in the model's type: zero, or minus infinity for what a row does not read.</param>
/// <param name="Chosen">Sequences to read, where they are not neighbours; null where they are.</param>
internal sealed record RowPlaces(Tensor Ids, Tensor Sequences, Tensor Positions, Tensor Mask, Tensor? Chosen)
{
    /// <param name="rows">The rows.</param>
    /// <param name="span">Which sequences and keys are read.</param>
    /// <param name="keyNumbers">[keys], Int64: 0, 1 and so on.</param>
    /// <param name="dtype">The model's type.</param>
    public static RowPlaces Of(ReadOnlySpan<DecodingRow> rows, CacheSpan span, Tensor keyNumbers, ScalarType dtype)
    {
        var numbers = new long[3 * rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            numbers[i] = rows[i].Token;
            numbers[rows.Length + i] = rows[i].Sequence;
            numbers[2 * rows.Length + i] = rows[i].Position;
        }
        var parts = tensor(numbers, [3, rows.Length], device: keyNumbers.device).unbind(0);
        using var never = float.NegativeInfinity.ToScalar();
        var mask = zeros([rows.Length, 1, 1, span.KeyCount], dtype: dtype, device: keyNumbers.device)
            .masked_fill_(keyNumbers.gt(parts[2].view(-1, 1, 1, 1)), never);
        return new(parts[0], parts[1], parts[2], mask, span.IsScattered ? parts[1] : null);
    }
}
