using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
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
    /// <param name="isQuantised">Whether the chain is quantised, which makes the file this format's own.</param>
    /// <exception cref="InvalidDataException">A tensor is missing, or of another shape, or of another type.</exception>
    public WeightFile(SafetensorsReader reader, IEnumerable<TensorSpec> expected, int chain, bool isQuantised)
    {
        _reader = reader;
        try
        {
            if (!isQuantised)
                RefuseQuantised();
            foreach (var tensor in expected)
                Need(tensor);
            if (chain > 0 || isQuantised)
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

    /// <summary>
    /// Fills a chain's parameters, and reads the file to its end. What the file holds as numbers and the model quantised is
    /// quantised a part at a time.
    /// </summary>
    public void ReadInto(CoLMModel model, int chain, CancellationToken cancellationToken = default)
    {
        var (parameters, packed) = (ChainTensors.ParametersOf(model, chain), ChainTensors.PackedOf(model, chain));
        foreach (var (name, entry) in _needed)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (entry.Type.IsWeight && packed.TryGetValue(name, out var target))
            {
                _reader.ReadParts(entry, (part, firstRow) => target.Pack(part, firstRow, name));
                continue;
            }
            _reader.Read(entry, parameters[name]);
            if (name.EndsWith(ChainTensors.ScaleSuffix, StringComparison.Ordinal))
                CheckScales(entry, parameters[name]);
        }
        _reader.CheckEnd();
    }

    public void Dispose() => _reader.Dispose();

    private void Need(TensorSpec tensor)
    {
        if (tensor.Format is not { } format)
        {
            var entry = Check(tensor);
            if (!entry.Type.IsWeight)
                throw Error(entry.Name, $"has element type {entry.Type.Name}; weights are read from F32, BF16 and F16");
            _needed.Add((tensor.Name, entry));
            return;
        }
        var (codes, scales) = PackedParameters.Shapes(tensor.Shape[0], tensor.Shape[1], format);
        Add(tensor.Name, codes, PackedParameters.CodeType(format));
        Add(tensor.Name + ChainTensors.ScaleSuffix, scales, PackedParameters.ScaleType);

        void Add(string name, long[] shape, ScalarType type)
        {
            var entry = Check(new(name, shape));
            if (entry.Type.Scalar != type)
                throw Error(entry.Name, $"has element type {entry.Type.Name}; {format} weights have {SafetensorsType.Of(type).Name} here");
            _needed.Add((name, entry));
        }
    }

    private void CheckScales(SafetensorsEntry entry, Tensor scales)
    {
        using var areZero = scales.eq(Scalars.Zero);
        using var isAnyZero = areZero.any();
        if (isAnyZero.ToBoolean())
            throw Error(entry.Name, "has scales that are zero");
    }

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

    // The files of later chains and of quantised ones are this format's own: whatever else one holds, the configuration was changed.
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
