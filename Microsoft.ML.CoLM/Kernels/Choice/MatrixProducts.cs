using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>What multiplies matrices on the CPU, in each type: prompts, scoring and training; a token's few rows have kernels of their own.</summary>
/// <remarks>
/// <para>
/// Which one is the fastest is a matter of the processor. At the first use on a machine the candidates take turns for some
/// milliseconds; what was found is kept in the user's local application data and read from there ever after, since sums of two
/// libraries differ in their last bits, and two runs on a machine are not to differ. Where nothing can be kept, nothing is measured:
/// the processor's model decides then.
/// </para>
/// <para>
/// The environment variable <c>COLM_GEMM</c> decides instead of all that: <c>libtorch</c>, <c>colm</c> or <c>widened</c> for every type,
/// or both by name, as in <c>float32=colm,bfloat16=libtorch</c>. A training goes on from its checkpoint with what it began with, and
/// several processes of one training or sweep all multiply as the first one does.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// Console.WriteLine(MatrixProducts.Current); // float32=colm,bfloat16=libtorch
/// MatrixProducts.Current = new(MatrixLibrary.LibTorch, MatrixLibrary.LibTorch);
/// </code>
/// </example>
[SuppressMessage("Naming", "CA1720:Identifier contains type name", Justification = "The names that the field knows the types by.")]
public sealed class MatrixProducts : IEquatable<MatrixProducts>
{
    /// <summary>The environment variable.</summary>
    internal const string Variable = "COLM_GEMM";

    private const string Float32Name = "float32";
    private const string BFloat16Name = "bfloat16";

    private static readonly AsyncLocal<MatrixProducts?> Scoped = new();
    private static Lazy<MatrixProducts> _process = new(ProductChoice.Make);

    /// <param name="float32">What multiplies float32 matrices.</param>
    /// <param name="bFloat16">What multiplies bfloat16 matrices.</param>
    /// <exception cref="ArgumentException">A library is none of the type's.</exception>
    public MatrixProducts(MatrixLibrary float32, MatrixLibrary bFloat16)
    {
        if (float32 is not (MatrixLibrary.LibTorch or MatrixLibrary.CoLM))
            throw new ArgumentException($"float32 is multiplied by {MatrixLibrary.LibTorch} or {MatrixLibrary.CoLM}, found {float32}.", nameof(float32));
        if (!Enum.IsDefined(bFloat16))
            throw new ArgumentException($"bfloat16 is multiplied by a {nameof(MatrixLibrary)}, found {bFloat16}.", nameof(bFloat16));
        (Float32, BFloat16) = (float32, bFloat16);
    }

    /// <summary>What multiplies in this process, or in the training that the calling thread computes.</summary>
    /// <exception cref="InvalidOperationException"><c>COLM_GEMM</c> is set to something else than the libraries' names.</exception>
    public static MatrixProducts Current
    {
        get => Scoped.Value ?? _process.Value;
        set
        {
            ArgumentNullException.ThrowIfNull(value);
            _process = new(value);
        }
    }

    /// <summary>What multiplies float32 matrices: <see cref="MatrixLibrary.LibTorch"/> or <see cref="MatrixLibrary.CoLM"/>.</summary>
    public MatrixLibrary Float32 { get; }

    /// <summary>What multiplies bfloat16 matrices.</summary>
    public MatrixLibrary BFloat16 { get; }

    /// <inheritdoc/>
    public bool Equals(MatrixProducts? other) => other is not null && (Float32, BFloat16) == (other.Float32, other.BFloat16);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as MatrixProducts);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Float32, BFloat16);

    /// <summary>The form that <c>COLM_GEMM</c> takes.</summary>
    public override string ToString() => $"{Float32Name}={Text(Float32)},{BFloat16Name}={Text(BFloat16)}";

    /// <summary>What multiplies on this thread, and in what it starts, until the scope is disposed.</summary>
    internal static IDisposable Use(MatrixProducts products)
    {
        var before = Scoped.Value;
        Scoped.Value = products;
        return new Scope(before);
    }

    /// <summary>Reads the form of <see cref="ToString"/>, or one library's name for every type.</summary>
    /// <returns>Null where the text is neither.</returns>
    internal static MatrixProducts? TryParse(string text)
    {
        if (Library(text) is { } every)
            return new(every == MatrixLibrary.Widened ? MatrixLibrary.LibTorch : every, every);
        if (text.Split(',') is not [var first, var second] ||
            Library(first, Float32Name) is not { } float32 || Library(second, BFloat16Name) is not { } bFloat16)
        {
            return null;
        }
        return float32 == MatrixLibrary.Widened ? null : new(float32, bFloat16);
    }

    /// <summary>Whether the library's own kernels multiply a matrix of so many rows, on the CPU.</summary>
    internal static bool AreOwn(Tensor matrix) => Multiplies(MatrixLibrary.CoLM, matrix);

    /// <summary>Whether a matrix of so many rows is widened to be multiplied, on the CPU.</summary>
    internal static bool Widen(Tensor matrix) => Multiplies(MatrixLibrary.Widened, matrix);

    private static bool Multiplies(MatrixLibrary library, Tensor matrix)
    {
        var type = matrix.dtype;
        return type is ScalarType.Float32 or ScalarType.BFloat16 && matrix.device_type == DeviceType.CPU &&
            matrix.size(0) >= PanelGemm.TileRows && (type == ScalarType.Float32 ? Current.Float32 : Current.BFloat16) == library;
    }

    private static string Text(MatrixLibrary library) => library switch
    {
        MatrixLibrary.LibTorch => "libtorch",
        MatrixLibrary.CoLM => "colm",
        _ => "widened",
    };

    private static MatrixLibrary? Library(string text) => text switch
    {
        "libtorch" => MatrixLibrary.LibTorch,
        "colm" => MatrixLibrary.CoLM,
        "widened" => MatrixLibrary.Widened,
        _ => null,
    };

    private static MatrixLibrary? Library(string assignment, string type) =>
        assignment.Split('=') is [var name, var library] && name == type ? Library(library) : null;

    private sealed class Scope(MatrixProducts? before) : IDisposable
    {
        public void Dispose() => Scoped.Value = before;
    }
}
