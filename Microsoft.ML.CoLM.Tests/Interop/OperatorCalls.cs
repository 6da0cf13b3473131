using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Interop;

/// <summary>
/// Counts the operators that this thread has libtorch run, as libtorch's own profiler sees them: those that the program or a
/// script calls, views included, and not those that an operator is made of.
/// </summary>
/// <remarks>
/// TorchSharp binds no profiler. What the profiler is built on, <c>at::addThreadLocalCallback</c>, is called by its name in the
/// library for Linux on x64, where C++ passes a structure of this size on the stack as C does.
/// </remarks>
internal static unsafe partial class OperatorCalls
{
    private const string Library = "libtorch_cpu.so";

    // The scope of operators; a script's functions and others have scopes of their own.
    private const int FunctionScope = 0;

    static OperatorCalls() => NativeLibrary.SetDllImportResolver(typeof(OperatorCalls).Assembly, Resolve);

    [ThreadStatic]
    private static List<string>? _names;

    [ThreadStatic]
    private static int _depth;

    /// <summary>Whether they can be counted here.</summary>
    public static bool CanBeCounted => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>The names of the operators that an action runs, in their order.</summary>
    public static IReadOnlyList<string> Of(Action action)
    {
        var callback = new RecordFunctionCallback
        {
            Start = (nint)(delegate* unmanaged<nint*, nint, nint>)&Start,
            End = (nint)(delegate* unmanaged<nint, nint, void>)&End,
            SamplingProbability = 1,
        };
        callback.Scopes[FunctionScope] = 1;
        (_names, _depth) = ([], 0);
        var handle = AddThreadLocalCallback(callback);
        try
        {
            action();
            return _names;
        }
        finally
        {
            RemoveCallback(handle);
            _names = null;
        }
    }

    // Returns std::unique_ptr<at::ObserverContext>, whose place the caller gives.
    [UnmanagedCallersOnly]
    private static nint Start(nint* context, nint function)
    {
        *context = 0;
        if (_depth++ == 0)
            _names!.Add(Marshal.PtrToStringUTF8(NameOf(function))!);
        return (nint)context;
    }

    [UnmanagedCallersOnly]
    private static void End(nint function, nint context) => _depth--;

    private static nint Resolve(string name, System.Reflection.Assembly assembly, DllImportSearchPath? path)
    {
        if (name != Library)
            return 0;
        torch.InitializeDeviceType(DeviceType.CPU);
        return NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, Library));
    }

    [LibraryImport(Library, EntryPoint = "_ZN2at22addThreadLocalCallbackENS_22RecordFunctionCallbackE")]
    private static partial ulong AddThreadLocalCallback(RecordFunctionCallback callback);

    [LibraryImport(Library, EntryPoint = "_ZN2at14removeCallbackEm")]
    private static partial void RemoveCallback(ulong handle);

    [LibraryImport(Library, EntryPoint = "_ZNK2at14RecordFunction4nameEv")]
    private static partial nint NameOf(nint function);

    [StructLayout(LayoutKind.Sequential)]
    private struct RecordFunctionCallback
    {
        public nint Start;
        public nint End;
        public double SamplingProbability;
        public ScopeFlags Scopes;
        public byte NeedsInputs;
        public byte NeedsOutputs;
        public byte NeedsIds;
    }

    [InlineArray(10)]
    private struct ScopeFlags
    {
        private byte _first;
    }
}
