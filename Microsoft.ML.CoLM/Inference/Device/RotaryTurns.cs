using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// The rotary embedding as products of matrices: a row of features times its position's matrix is the row turned, in one
/// operation for all heads. Positions' angles stay on the device.
/// </summary>
internal sealed class RotaryTurns : IDisposable
{
    private const int LeastPositions = 256;

    private readonly RotaryEmbedding _rotary;
    private readonly CoLMConfig _config;
    private readonly ScalarType _dtype;
    private readonly Device _device;
    private readonly Tensor _cells;
    private Tensor? _table;

    public RotaryTurns(CoLMModel model)
    {
        (_rotary, _config, _dtype, _device) = (model.Rotary, model.Config, model.DataType, model.Device);
        var (width, half) = (_config.HeadWidth, _config.HeadWidth / 2);
        var cells = new long[4 * half];
        for (var pair = 0; pair < half; pair++)
        {
            var (first, second) = (pair, pair + half);
            cells[pair] = Cell(first, first);
            cells[half + pair] = Cell(second, second);
            cells[2 * half + pair] = Cell(second, first);
            cells[3 * half + pair] = Cell(first, second);
        }
        _cells = tensor(cells, device: _device).DetachFromDisposeScope();

        long Cell(int row, int column) => (long)row * width + column;
    }

    /// <summary>Writes rows' matrices.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="positions">[rows], Int64, theirs on the device.</param>
    /// <param name="lengths">The lengths of the sequences that rows' angles are those of.</param>
    /// <param name="turns">[rows, d · d], zero but for what was written here before.</param>
    public void Write(ReadOnlySpan<DecodingRow> rows, Tensor positions, RotaryLengths lengths, Tensor turns)
    {
        using var scope = NewDisposeScope();
        turns.index_copy_(1, _cells, DependOnLength(rows, lengths)
            ? OfLengths(rows, lengths)
            : Table(rows).index_select(0, positions));
    }

    public void Dispose()
    {
        _cells.Dispose();
        _table?.Dispose();
    }

    private bool DependOnLength(ReadOnlySpan<DecodingRow> rows, RotaryLengths lengths)
    {
        foreach (var row in rows)
        {
            if (_rotary.DependOnLength(lengths.Of(row.Sequence, row.Position)))
                return true;
        }
        return false;
    }

    /// <summary>[positions, 2d], for sequences whose length does not matter.</summary>
    private Tensor Table(ReadOnlySpan<DecodingRow> rows)
    {
        var needed = 0;
        foreach (var row in rows)
            needed = Math.Max(needed, row.Position + 1);
        if (_table?.size(0) >= needed)
            return _table;
        var longest = _config.RopeScaling is DynamicRopeScaling dynamic
            ? Math.Min(dynamic.OriginalContextLength, _config.ContextLength)
            : _config.ContextLength;
        var (cosine, sine) = _rotary.Angles(
            0, Math.Min(longest, Math.Max(LeastPositions, 2 * needed)), _device, _dtype);
        _table?.Dispose();
        return _table = cat([cosine, cosine, sine.neg(), sine], dim: 1).DetachFromDisposeScope();
    }

    /// <summary>[rows, 2d], where rows are of sequences of different angles.</summary>
    private Tensor OfLengths(ReadOnlySpan<DecodingRow> rows, RotaryLengths lengths)
    {
        var half = _config.HeadWidth / 2;
        var all = new float[rows.Length * 4 * half];
        for (var i = 0; i < rows.Length; i++)
        {
            var own = all.AsSpan(i * 4 * half, 4 * half);
            var cosine = own[..half];
            var sine = own[(3 * half)..];
            _rotary.Angles(rows[i].Position, lengths.Of(rows[i].Sequence, rows[i].Position), cosine, sine);
            cosine.CopyTo(own[half..]);
            for (var pair = 0; pair < half; pair++)
                own[2 * half + pair] = -sine[pair];
        }
        return tensor(all, [rows.Length, 4 * half], device: _device).to(_dtype);
    }
}
