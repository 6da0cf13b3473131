using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>A quantised matrix [outputs, width]: <c>codes</c> and <c>scales</c>, whose types stay what they are.</summary>
internal sealed class PackedParameters : nn.Module
{
    private readonly WeightFormat _format;
    private readonly long _width;
    private Parameter _codes;
    private Parameter _scales;

    /// <param name="outputs">Outputs.</param>
    /// <param name="width">Inputs of an output.</param>
    /// <param name="format">How they are packed.</param>
    /// <param name="device">Where the weights live. Their values are left unset.</param>
    public PackedParameters(long outputs, long width, WeightFormat format, Device device) : base(nameof(PackedParameters))
    {
        (_format, _width) = (format, width);
        WeightCount = outputs * width;
        var (codes, scales) = Shapes(outputs, width, format);
        register_parameter(ParameterName.Codes, _codes = ChainModule.NewParameter(codes, device, CodeType(format)));
        register_parameter(ParameterName.Scales, _scales = ChainModule.NewParameter(scales, device, ScaleType));
        _scales.requires_grad = false;
    }

    /// <summary>torch's type of scales.</summary>
    public static ScalarType ScaleType => ScalarType.BFloat16;

    /// <summary>How many weights.</summary>
    public long WeightCount { get; }

    /// <summary>torch's type of a format's codes.</summary>
    public static ScalarType CodeType(WeightFormat format) => format == WeightFormat.Int8 ? Int8Codes.Type : Int4Codes.Type;

    /// <summary>Bytes of 32 weights and their scale.</summary>
    public static int BytesOfGroup(WeightFormat format) =>
        (format == WeightFormat.Int8 ? Int8Codes.GroupBytes : Int4Codes.GroupBytes) + BFloat16Element.Size;

    /// <summary>Shapes of a matrix's codes and scales: inputs in whole groups.</summary>
    public static (long[] Codes, long[] Scales) Shapes(long outputs, long width, WeightFormat format)
    {
        long groups = PackedWeight.GroupsOf((int)width);
        var bytes = format == WeightFormat.Int8 ? Int8Codes.GroupBytes : Int4Codes.GroupBytes;
        return ([outputs, groups * bytes], [outputs, groups]);
    }

    /// <summary>The matrix, until it is moved to another device or given other memory.</summary>
    public PackedWeight View() => _format == WeightFormat.Int8
        ? new PackedWeight<Int8Codes>(_codes, _scales, (int)_width)
        : new PackedWeight<Int4Codes>(_codes, _scales, (int)_width);

    /// <summary>Quantises some outputs' weights.</summary>
    /// <param name="numbers">[outputs, width], of any floating-point type, on any device.</param>
    /// <param name="first">The first output.</param>
    /// <param name="name">The weight's name, for messages.</param>
    /// <exception cref="ArgumentException">A weight is NaN or infinite.</exception>
    public void Pack(Tensor numbers, long first, string name)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var wide = numbers.detach().to(ScalarType.Float32).cpu().contiguous();
        OnCpu(first, wide.size(0), part => Packing.Run(part, wide, name));
    }

    /// <summary>Quantises the matrix so that its outputs change least for some inputs: <see cref="ErrorFeedback"/>.</summary>
    /// <param name="numbers">[outputs, width], of any floating-point type, on any device; finite.</param>
    /// <param name="inputSquares">inputsᵀ · inputs, [width, width], float32.</param>
    public void PackFor(Tensor numbers, Tensor inputSquares)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (wide, factor) = (numbers.detach().to(ScalarType.Float32).cpu().contiguous(), ErrorFeedback.Factor(inputSquares));
        OnCpu(0, wide.size(0), all => ErrorFeedback.Run(all, wide, factor));
    }

    private void OnCpu(long first, long count, Action<PackedWeight> pack)
    {
        var (codes, scales) = (_codes.narrow(0, first, count), _scales.narrow(0, first, count));
        if (codes.device_type == DeviceType.CPU)
        {
            pack(View().With(codes, scales));
            return;
        }
        var (ownCodes, ownScales) = (empty_like(codes, device: CPU), empty_like(scales, device: CPU));
        pack(View().With(ownCodes, ownScales));
        codes.copy_(ownCodes);
        scales.copy_(ownScales);
    }

    protected override nn.Module _to(ScalarType dtype, bool non_blocking) => this;

    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        _toEpilog(null, device, non_blocking);
        (_codes, _scales) = (get_parameter(ParameterName.Codes)!, get_parameter(ParameterName.Scales)!);
        return this;
    }
}
