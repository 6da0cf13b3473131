using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>A layer with one weight for each chain, registered as <c>chain_1</c>, <c>chain_2</c> and so on.</summary>
internal abstract class ChainModule : nn.Module
{
    private readonly Parameter?[] _weights;
    private readonly ScalarType? _keptType;

    /// <param name="name">The module's name.</param>
    /// <param name="shapes">Shape of each chain's weight; null where the chain has none.</param>
    /// <param name="device">Where the weights live.</param>
    /// <param name="dtype">Their type. Their values are left unset.</param>
    /// <param name="keepsType">Whether they stay of that type when a model that they belong to gets another one.</param>
    protected ChainModule(
        string name, IEnumerable<long[]?> shapes, Device device, ScalarType dtype, bool keepsType = false) : base(name)
    {
        _keptType = keepsType ? dtype : null;
        _weights = [.. shapes.Select(shape => shape is null ? null : Create(shape, device, dtype))];
        for (var chain = 0; chain < _weights.Length; chain++)
        {
            if (_weights[chain] is { } weight)
                register_parameter(ParameterName.OfChain(chain), weight);
        }
    }

    /// <summary>Whether a model's weights can be of a type.</summary>
    internal static bool CanHoldWeights(ScalarType type) =>
        type is ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16;

    /// <summary>Chains that may have a weight here: all, or those that keys and values are computed for.</summary>
    internal int ChainCount => _weights.Length;

    /// <summary>The weight of a chain that has one.</summary>
    internal Parameter Weight(int chain) => _weights[chain]!;

    /// <summary>Whether the chain has a weight in this layer.</summary>
    internal bool HasWeight(int chain) => _weights[chain] is not null;

    /// <summary>The weights of the range's chains.</summary>
    internal Tensor[] Weights(ChainRange chains)
    {
        var weights = new Tensor[chains.Count];
        for (var i = 0; i < weights.Length; i++)
            weights[i] = Weight(chains.First + i);
        return weights;
    }

    // A model lives until it is disposed, whatever scope it was made in.
    private static Parameter Create(long[] shape, Device device, ScalarType dtype)
    {
        try
        {
            var weight = new Parameter(empty(shape, dtype, device));
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
