using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Four neighbouring vectors of a row.</summary>
internal static unsafe class FourVectors
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (TFloats A, TFloats B, TFloats C, TFloats D) Load<TFloats>(float* row)
        where TFloats : struct, IFloats<TFloats> => (TFloats.Load(row), TFloats.Load(row + TFloats.Count),
            TFloats.Load(row + 2 * TFloats.Count), TFloats.Load(row + 3 * TFloats.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TFloats>(TFloats a, TFloats b, TFloats c, TFloats d, float* row)
        where TFloats : struct, IFloats<TFloats>
    {
        a.Store(row);
        b.Store(row + TFloats.Count);
        c.Store(row + 2 * TFloats.Count);
        d.Store(row + 3 * TFloats.Count);
    }
}
