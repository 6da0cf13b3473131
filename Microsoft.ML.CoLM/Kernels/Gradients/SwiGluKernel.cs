using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>silu(gate) · up of matrices on the CPU, and its gradients: each a single walk through memory.</summary>
internal static unsafe class SwiGluKernel
{
    // Of neighbours that are worked on together: a few such runs fit the first-level cache.
    private const int RunLength = 1 << 13;

    /// <summary>Whether gates can be read here.</summary>
    public static bool Suits(Tensor gate) =>
        gate.device_type == DeviceType.CPU && gate.dtype is ScalarType.Float32 or ScalarType.BFloat16;

    /// <summary>silu(gate) · up.</summary>
    /// <param name="gate">Contiguous.</param>
    /// <param name="up">As the gate.</param>
    /// <param name="y">As the gate, written.</param>
    public static void Forward(Tensor gate, Tensor up, Tensor y)
    {
        if (gate.dtype == ScalarType.BFloat16)
            Forward<BFloat16Element>(gate, up, y);
        else
            Forward<Float32Element>(gate, up, y);
    }

    /// <summary>The gradients of <see cref="Forward(Tensor, Tensor, Tensor)"/>.</summary>
    /// <param name="gate">As there.</param>
    /// <param name="up">As there.</param>
    /// <param name="gradient">As the gate: the result's gradient.</param>
    /// <param name="gateGradient">As the gate, written.</param>
    /// <param name="upGradient">As the gate, written.</param>
    public static void Backward(Tensor gate, Tensor up, Tensor gradient, Tensor gateGradient, Tensor upGradient)
    {
        if (gate.dtype == ScalarType.BFloat16)
            Backward<BFloat16Element>(gate, up, gradient, gateGradient, upGradient);
        else
            Backward<Float32Element>(gate, up, gradient, gateGradient, upGradient);
    }

    private static void Forward<T>(Tensor gate, Tensor up, Tensor y)
        where T : struct, IElement
    {
        var (gates, ups, results) = (TensorMemory.Address(gate), TensorMemory.Address(up), TensorMemory.Address(y));
        ForRuns<T>(gate, (offset, count) => RowKernels.SwiGlu<T, T>(
            (void*)(gates + offset), (void*)(ups + offset), (void*)(results + offset), count));
    }

    private static void Backward<T>(Tensor gate, Tensor up, Tensor gradient, Tensor gateGradient, Tensor upGradient)
        where T : struct, IElement
    {
        var (gates, ups, upstream) = (TensorMemory.Address(gate), TensorMemory.Address(up), TensorMemory.Address(gradient));
        var (ofGates, ofUps) = (TensorMemory.Address(gateGradient), TensorMemory.Address(upGradient));
        ForRuns<T>(gate, (offset, count) =>
        {
            var run = new Run(
                gates + offset, ups + offset, upstream + offset, ofGates + offset, ofUps + offset, count);
            switch (VectorWidth.Floats)
            {
                case 16: Backward<T, Floats16>(run); break;
                case 8: Backward<T, Floats8>(run); break;
                default: Backward<T, Floats4>(run); break;
            }
        });
    }

    /// <summary>The gradients of some neighbours.</summary>
    [MethodImpl(KernelMethod.Compiled)]
    public static void Backward<T, TFloats>(Run run)
        where T : struct, IElement
        where TFloats : struct, IFloats<TFloats>
    {
        void* gate = run.Gate, up = run.Up, gradient = run.Gradient;
        void* gateGradient = run.GateGradient, upGradient = run.UpGradient;
        var (i, count) = (0, run.Count);
        for (; i + TFloats.Count <= count; i += TFloats.Count)
        {
            var (ofGate, ofUp) = Gradients(
                T.Load<TFloats>(gate, i), T.Load<TFloats>(up, i), T.Load<TFloats>(gradient, i));
            T.Store(gateGradient, i, ofGate);
            T.Store(upGradient, i, ofUp);
        }
        if (i == count)
            return;
        // The rest through the same vector function: another would round differently.
        var rest = stackalloc float[3 * TFloats.Count];
        new Span<float>(rest, 3 * TFloats.Count).Clear();
        for (var j = i; j < count; j++)
        {
            rest[j - i] = T.Get(gate, j);
            rest[TFloats.Count + j - i] = T.Get(up, j);
            rest[2 * TFloats.Count + j - i] = T.Get(gradient, j);
        }
        var (lastOfGate, lastOfUp) = Gradients(
            TFloats.Load(rest), TFloats.Load(rest + TFloats.Count), TFloats.Load(rest + 2 * TFloats.Count));
        lastOfGate.Store(rest);
        lastOfUp.Store(rest + TFloats.Count);
        for (var j = i; j < count; j++)
        {
            T.Set(gateGradient, j, rest[j - i]);
            T.Set(upGradient, j, rest[TFloats.Count + j - i]);
        }
    }

    // silu'(x) = s + x · s · (1 - s) with s the sigmoid of x
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (TFloats OfGate, TFloats OfUp) Gradients<TFloats>(TFloats gate, TFloats up, TFloats gradient)
        where TFloats : struct, IFloats<TFloats>
    {
        var (one, power) = (TFloats.Create(1), VectorMath.ExpOfNonPositive(default(TFloats) - TFloats.Abs(gate)));
        var inverse = one / (one + power);
        var (sigmoid, complement) = (TFloats.WhereLess(gate, default, power, one) * inverse,
            TFloats.WhereLess(gate, default, one, power) * inverse);
        var silu = gate * sigmoid;
        return (gradient * up * TFloats.MultiplyAdd(silu, complement, sigmoid), gradient * silu);
    }

    /// <summary>Calls a function with runs of neighbours: where they begin, in bytes, and how many they are.</summary>
    private static void ForRuns<T>(Tensor like, Action<nint, int> work)
        where T : struct, IElement
    {
        var length = like.numel();
        RowBlocks.For(checked((int)((length + RunLength - 1) / RunLength)), rowsOfBlock: 1, RunLength, (run, _, _) =>
        {
            var first = (long)run * RunLength;
            work((nint)(first * T.Size), (int)Math.Min(RunLength, length - first));
        });
    }

    /// <summary>Neighbours of all the matrices.</summary>
    public readonly struct Run(nint gate, nint up, nint gradient, nint gateGradient, nint upGradient, int count)
    {
        public void* Gate => (void*)gate;

        public void* Up => (void*)up;

        public void* Gradient => (void*)gradient;

        public void* GateGradient => (void*)gateGradient;

        public void* UpGradient => (void*)upGradient;

        public int Count => count;
    }
}
