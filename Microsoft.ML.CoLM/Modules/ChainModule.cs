using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// A layer with one weight for each chain, registered as <c>chain_1</c>, <c>chain_2</c> and so on; a quantised chain's matrices
/// are <see cref="PackedParameters"/> of that name.
/// </summary>
internal abstract class ChainModule : nn.Module
{
    private readonly Parameter?[] _weights;
    private readonly PackedParameters?[] _packed;
    private readonly ScalarType? _keptType;

    /// <param name="name">The module's name.</param>
    /// <param name="shapes">Shape of each chain's weight; null where the chain has none.</param>
    /// <param name="device">Where the weights live.</param>
    /// <param name="dtype">Their type. Their values are left unset.</param>
    /// <param name="keepsType">Whether they stay of that type when a model that they belong to gets another one.</param>
    /// <param name="formats">How each chain's matrix is packed, null for one that is not; null where no chain's is.</param>
    protected ChainModule(
        string name, IEnumerable<long[]?> shapes, Device device, ScalarType dtype, bool keepsType = false,
        IReadOnlyList<WeightFormat?>? formats = null) : base(name)
    {
        _keptType = keepsType ? dtype : null;
        long[]?[] all = [.. shapes];
        _weights = new Parameter?[all.Length];
        _packed = new PackedParameters?[all.Length];
        for (var chain = 0; chain < all.Length; chain++)
        {
            if (all[chain] is not { } shape)
                continue;
            if (formats?[chain] is { } format)
            {
                register_module(ParameterName.OfChain(chain), _packed[chain] = new PackedParameters(shape[0], shape[1], format, device));
                continue;
            }
            register_parameter(ParameterName.OfChain(chain), _weights[chain] = NewParameter(shape, device, dtype));
        }
    }

    /// <summary>Whether a model's weights can be of a type.</summary>
    internal static bool CanHoldWeights(ScalarType type) =>
        type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16;

    /// <summary>Chains that may have a weight here: all, or those that keys and values are computed for.</summary>
    internal int ChainCount => _weights.Length;

    /// <summary>The weight of a chain that has one, which is not packed.</summary>
    internal Parameter Weight(int chain) => _weights[chain]!;

    /// <summary>The matrix of a chain that has one.</summary>
    internal LinearWeight Matrix(int chain) => _packed[chain] is { } packed ? new(packed.View()) : new(Weight(chain));

    /// <summary>The chain's quantised matrix; null where it has numbers, or no weight.</summary>
    internal PackedParameters? Packed(int chain) => _packed[chain];

    /// <summary>Whether the chain has a weight in this layer that is not quantised.</summary>
    internal bool HasNumbers(int chain) => _weights[chain] is not null;

    /// <summary>Whether the chain has a weight in this layer.</summary>
    internal bool HasWeight(int chain) => _weights[chain] is not null || _packed[chain] is not null;

    /// <summary>How many numbers the chain's weight is; 0 where it has none.</summary>
    internal long WeightCount(int chain) => _weights[chain]?.numel() ?? _packed[chain]?.WeightCount ?? 0;

    /// <summary>The weights of the range's chains.</summary>
    internal Tensor[] Weights(ChainRange chains)
    {
        var weights = new Tensor[chains.Count];
        for (var i = 0; i < weights.Length; i++)
            weights[i] = Weight(chains.First + i);
        return weights;
    }

    /// <summary>The matrices of the range's chains.</summary>
    internal LinearWeight[] Matrices(ChainRange chains)
    {
        var matrices = new LinearWeight[chains.Count];
        for (var i = 0; i < matrices.Length; i++)
            matrices[i] = Matrix(chains.First + i);
        return matrices;
    }

    /// <summary>A parameter that lives until its module is disposed, whatever scope it was made in.</summary>
    internal static Parameter NewParameter(long[] shape, Device device, ScalarType dtype)
    {
        try
        {
            var weight = new Parameter(empty(shape, dtype, device), requires_grad: dtype is not (ScalarType.Int8 or ScalarType.Byte));
            weight.DetachFromDisposeScope();
            return weight;
        }
        catch (ExternalException e)
        {
            throw new InsufficientMemoryException(FormattableString.Invariant(
                $"There is no memory on {device} for a weight of [{string.Join(", ", shape)}] of {dtype}."), e);
        }
    }

    protected override nn.Module _to(ScalarType dtype, bool non_blocking) =>
        _keptType is null ? base._to(dtype, non_blocking) : this;

    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking) =>
        base._to(device, _keptType ?? dtype, non_blocking);

    // Moving a module to another device or type replaces its parameters.
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        for (var chain = 0; chain < _weights.Length; chain++)
        {
            if (_weights[chain] is not null)
                _weights[chain] = get_parameter(ParameterName.OfChain(chain));
        }
    }
}
