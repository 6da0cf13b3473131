using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A vector of floats, so that kernels are written once for every width of a processor's vectors.</summary>
/// <typeparam name="TSelf">The vector.</typeparam>
internal unsafe interface IFloats<TSelf>
    where TSelf : struct, IFloats<TSelf>
{
    /// <summary>How many floats: 16, 8 or 4.</summary>
    static abstract int Count { get; }

    /// <summary>Whether a processor with vectors of this width has registers for sixteen sums and what they are made of.</summary>
    static abstract bool HasManyRegisters { get; }

    /// <summary>One number in every lane.</summary>
    static abstract TSelf Create(float value);

    static abstract TSelf Load(float* from);

    /// <summary>Neighbouring bfloat16 numbers, as float32.</summary>
    static abstract TSelf LoadBFloat16(ushort* from);

    /// <summary>a · b + c, rounded once where the processor can.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>The lesser of each pair.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>The greater of each pair; where one is not a number, either.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    static abstract TSelf Abs(TSelf a);

    /// <summary>Square roots.</summary>
    static abstract TSelf Sqrt(TSelf a);

    /// <summary>Lane by lane, the third where the first is less than the second, the fourth elsewhere.</summary>
    static abstract TSelf WhereLess(TSelf a, TSelf b, TSelf then, TSelf otherwise);

    /// <summary>The first's lanes up to a number of them, and from there on the second's.</summary>
    static abstract TSelf Head(int count, TSelf first, TSelf second);

    /// <summary>Numbers whose exponents are the lowest eight bits of what the lanes hold.</summary>
    static abstract TSelf FromExponents(TSelf exponents);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    void Store(float* to);

    /// <summary>Rounds to bfloat16, to nearest, ties to even.</summary>
    void StoreBFloat16(ushort* to);

    /// <summary>Halves added to each other until four are left.</summary>
    Vector128<float> Fold();

    /// <summary>The greatest lane; where one is not a number, any.</summary>
    float Greatest();
}
