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
        if (_codes.device_type == DeviceType.CPU)
        {
            Packing.Run(View(), (int)first, wide, name);
            return;
        }
        var (ownCodes, ownScales) = (
            empty([wide.size(0), _codes.size(1)], dtype: _codes.dtype), empty([wide.size(0), _scales.size(1)], dtype: _scales.dtype));
        Packing.Run(View().With(ownCodes, ownScales), 0, wide, name);
        _codes.narrow(0, first, wide.size(0)).copy_(ownCodes);
        _scales.narrow(0, first, wide.size(0)).copy_(ownScales);
    }

    protected override nn.Module _to(ScalarType dtype, bool non_blocking) => this;

    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        _toEpilog(null, device, non_blocking);
        (_codes, _scales) = (get_parameter(ParameterName.Codes)!, get_parameter(ParameterName.Scales)!);
        return this;
    }
}
