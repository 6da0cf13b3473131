namespace Microsoft.ML.CoLM.Inference;

/// <summary>Some outputs of a matrix product, as one thread computes them for a few rows.</summary>
/// <param name="Weight">The matrix.</param>
/// <param name="First">The first output.</param>
/// <param name="End">The output after the last.</param>
/// <param name="XStride">Floats from a slot's inputs to the next one's.</param>
/// <param name="XColumn">Where in a slot's inputs the matrix's begin.</param>
/// <param name="Y">Where the outputs go.</param>
/// <param name="YStride">Floats from a slot's outputs to the next one's.</param>
/// <param name="YColumn">Where in a slot's outputs the matrix's begin.</param>
/// <param name="Adds">Whether the product is added to what is there.</param>
internal readonly record struct GemvPiece(
    WeightMatrix Weight, int First, int End, int XStride, int XColumn, SlotBuffer Y, int YStride, int YColumn, bool Adds)
{
    /// <summary>How many weights are read.</summary>
    public long Weights => (long)(End - First) * Weight.Width;

    /// <summary>Computes the piece for neighbouring slots.</summary>
    /// <param name="x">[slots, <see cref="XStride"/>].</param>
    /// <param name="slots">Where the outputs are.</param>
    /// <param name="firstSlot">The first slot.</param>
    /// <param name="rows">How many slots.</param>
    public unsafe void Compute(nint x, SlotBuffers slots, int firstSlot, int rows) => Weight.Multiply(
        SlotBuffers.Slot(x, firstSlot, XStride) + XColumn, XStride, rows, First, End,
        SlotBuffers.Slot(slots[Y], firstSlot, YStride) + YColumn, YStride, Adds);
}
