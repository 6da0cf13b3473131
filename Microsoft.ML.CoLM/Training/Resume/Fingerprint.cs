using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Tells models, and data, from others without keeping them.</summary>
internal sealed class Fingerprint : IDisposable
{
    private readonly HashedStream _stream = new(Stream.Null);

    private Fingerprint()
    {
    }

    /// <summary>The SHA-256 of what is added, each part behind its length.</summary>
    public static string Of(Action<Fingerprint> add)
    {
        using var fingerprint = new Fingerprint();
        add(fingerprint);
        return Convert.ToHexStringLower(fingerprint._stream.Hash());
    }

    /// <summary>The configuration of a model and all its weights.</summary>
    public void Add(CoLMModel model)
    {
        Add(ConfigJson.Write(model.Config, model.DataType));
        foreach (var (name, parameter) in model.ChainParameters())
            Add(name, parameter);
    }

    public void Add(string name, Tensor tensor)
    {
        Add(name);
        Add($"{tensor.dtype} {ErrorText.Shape(tensor.shape)}");
        TensorBytes.Write(_stream, tensor);
    }

    public void Add(string text) => Add<char>(text);

    public void Add<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        var length = values.Length;
        _stream.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length)));
        _stream.Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Token ids of some rows.</summary>
    public void Add(IReadOnlyCollection<IReadOnlyList<int>> rows)
    {
        Add<int>([rows.Count]);
        foreach (var row in rows)
            Add<int>([.. row]);
    }

    public void Dispose() => _stream.Dispose();
}
