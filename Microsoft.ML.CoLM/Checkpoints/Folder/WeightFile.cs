using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>An open safetensors file whose header was found to hold what one chain needs from it.</summary>
/// <remarks>
/// Nothing of the model exists yet when files are checked: a file that does not fit its configuration is refused
/// before memory is taken for the weights.
/// </remarks>
internal sealed class WeightFile : IDisposable
{
    // What quantisers leave beside, or in place of, a weight.
    private static readonly string[] QuantisedSuffixes =
    [
        ".qweight", ".qzeros", ".scales", ".g_idx", ".weight_scale", ".weight_scale_inv", ".weight_zero_point",
        ".weight_packed", ".weight_shape", ".input_scale", ".absmax", ".quant_map", ".quant_state.bitsandbytes__nf4",
        ".quant_state.bitsandbytes__fp4", ".SCB",
    ];

    private readonly SafetensorsReader _reader;
    private readonly List<(string Name, SafetensorsEntry Entry)> _needed = [];

    /// <param name="reader">The open file; disposed with this, or at once if it is refused.</param>
    /// <param name="expected">What must be in it.</param>
    /// <param name="chain">The chain it belongs to.</param>
    /// <exception cref="InvalidDataException">A tensor is missing, or of another shape, or of another type.</exception>
    public WeightFile(SafetensorsReader reader, IEnumerable<TensorSpec> expected, int chain)
    {
        _reader = reader;
        try
        {
            RefuseQuantised();
            foreach (var tensor in expected)
                _needed.Add((tensor.Name, Check(tensor)));
            if (chain > 0)
                RefuseOthers(chain);
            _needed.Sort((a, b) => (a.Entry.Begin, a.Entry.End).CompareTo((b.Entry.Begin, b.Entry.End)));
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The type a tensor is stored in; null where it is in another file.</summary>
    public ScalarType? StoredType(TensorSpec tensor) => tensor.FindIn(_reader.Find)?.Type.Scalar;

    /// <summary>The types of what is needed of the file.</summary>
    public IEnumerable<ScalarType> StoredTypes => _needed.Select(needed => needed.Entry.Type.Scalar!.Value);

    /// <summary>Fills the parameters, given by their own names, and reads the file to its end.</summary>
    public void ReadInto(Dictionary<string, Tensor> parameters, CancellationToken cancellationToken = default)
    {
        foreach (var (name, entry) in _needed)
        {
            cancellationToken.ThrowIfCancellationRequested();
            _reader.Read(entry, parameters[name]);
        }
        _reader.CheckEnd();
    }

    public void Dispose() => _reader.Dispose();

    private SafetensorsEntry Check(TensorSpec expected)
    {
        var entry = expected.FindIn(_reader.Find)
            ?? throw new InvalidDataException($"{_reader.Source}: tensor {ErrorText.Quote(expected.Name)} of shape " +
                $"{ErrorText.Shape(expected.Shape)} is missing.");
        if (!entry.Shape.AsSpan().SequenceEqual(expected.Shape))
        {
            throw Error(entry.Name, $"has shape {ErrorText.Shape(entry.Shape)}, but the configuration asks for " +
                $"{ErrorText.Shape(expected.Shape)}");
        }
        if (!entry.Type.IsWeight)
            throw Error(entry.Name, $"has element type {entry.Type.Name}; weights are read from F32, BF16 and F16");
        return entry;
    }

    // The first chain's file comes from other tools. Like them this reader passes over what it does not need, such as
    // stored rotary frequencies or a tied model's second copy of its embedding, but not over what would change the result.
    private void RefuseQuantised()
    {
        foreach (var entry in _reader.Entries)
        {
            if (QuantisedSuffixes.Any(suffix => entry.Name.EndsWith(suffix, StringComparison.Ordinal)))
                throw Error(entry.Name, "belongs to quantised weights, which are not supported");
            if (entry.Name.EndsWith("_proj.bias", StringComparison.Ordinal))
                throw Error(entry.Name, "is a bias, which this architecture does not have");
        }
    }

    // The files of later chains are this format's own: whatever else one holds, the configuration was changed.
    private void RefuseOthers(int chain)
    {
        var needed = _needed.Select(needed => needed.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var entry in _reader.Entries)
        {
            if (!needed.Contains(entry.Name))
                throw Error(entry.Name, $"does not belong to chain {chain + 1} of this configuration");
        }
    }

    private InvalidDataException Error(string name, string problem) =>
        new($"{_reader.Source}: tensor {ErrorText.Quote(name)} {problem}.");
}
