using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The state of the random numbers that a training step may use, for example for dropout.</summary>
internal static class RandomState
{
    // In torch's own layout of a state, behind the seed.
    private const int LeftBegin = 8;
    private const int SeededBegin = 12;
    private const int NextBegin = 16;

    /// <summary>The state of torch's generator on the CPU.</summary>
    public static byte[] Take()
    {
        using var state = random.get_rng_state();
        return state.bytes.ToArray();
    }

    /// <summary>Goes back to a state.</summary>
    /// <exception cref="InvalidDataException">The bytes are no state of torch's generator.</exception>
    public static void Restore(byte[] bytes)
    {
        if (!IsState(bytes))
            throw new InvalidDataException("The checkpoint's random state is not one of torch's generator on the CPU.");
        using var state = tensor(bytes, dtype: uint8);
        random.set_rng_state(state);
    }

    // torch ends the process where this does not hold: the state of a Mersenne twister, which was seeded, how many of its
    // 624 numbers are left, and the next of them.
    private static bool IsState(byte[] bytes)
    {
        const int Numbers = 624;
        using var own = random.get_rng_state();
        return bytes.Length == own.numel()
            && BitConverter.ToInt32(bytes, LeftBegin) is > 0 and <= Numbers
            && BitConverter.ToInt32(bytes, SeededBegin) == 1
            && BitConverter.ToUInt64(bytes, NextBegin) <= Numbers;
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
