using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The state of the random numbers that a training step may use, for example for dropout.</summary>
internal static class RandomState
{
    /// <summary>The state of torch's generator on the CPU.</summary>
    public static byte[] Take()
    {
        using var state = random.get_rng_state();
        return state.bytes.ToArray();
    }

    /// <summary>Goes back to a state.</summary>
    public static void Restore(byte[] bytes)
    {
        using var state = tensor(bytes, dtype: uint8);
        random.set_rng_state(state);
    }

    /// <summary>Lets the numbers of a step on a GPU follow from the state on the CPU.</summary>
    /// <remarks>TorchSharp gives no access to the state of a GPU's generator.</remarks>
    public static void BeginStep(Device device)
    {
        if (device.type != DeviceType.CUDA)
            return;
        using var seed = randint(long.MaxValue, [1], dtype: int64);
        cuda.manual_seed(seed.ToInt64());
    }
}
