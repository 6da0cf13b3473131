using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>The processor's name, and what its name says of other libraries' kernels.</summary>
internal static class Processor
{
    // "Genu", the first letters of an Intel processor's name.
    private const int Intel = 0x756E6547;

    // Leaf 7's bit of products of bfloat16 tiles.
    private const int Amx = 1 << 22;

    private const int FirstOfName = unchecked((int)0x80000002);
    private const int LastOfName = unchecked((int)0x80000004);

    public static bool IsX86 => X86Base.IsSupported;

    public static bool IsIntel => IsX86 && X86Base.CpuId(0, 0).Ebx == Intel;

    /// <summary>Whether bfloat16 matrices are multiplied by units of their own.</summary>
    public static bool HasMatrixUnits => IsX86 && X86Base.CpuId(0, 0).Eax >= 7 && (X86Base.CpuId(7, 0).Edx & Amx) != 0;

    /// <summary>What it calls itself, with the numbers of family, model and stepping; on others than x86 the architecture.</summary>
    public static string Name
    {
        get
        {
            if (!IsX86)
                return RuntimeInformation.ProcessArchitecture.ToString();
            List<byte> letters = [];
            for (var leaf = FirstOfName; leaf <= LastOfName && (uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax >= unchecked((uint)LastOfName); leaf++)
            {
                var (eax, ebx, ecx, edx) = X86Base.CpuId(leaf, 0);
                foreach (var four in (int[])[eax, ebx, ecx, edx])
                    letters.AddRange(BitConverter.GetBytes(four));
            }
            var name = Encoding.ASCII.GetString([.. letters.Where(letter => letter is >= (byte)' ' and <= (byte)'~')]).Trim();
            return FormattableString.Invariant($"{name} {X86Base.CpuId(1, 0).Eax:x}");
        }
    }
}
