using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Features of the rows that are being worked on, in float32; a slot is one row. Chains that are run later read here what
/// earlier ones left.
/// </summary>
internal sealed unsafe class SlotBuffers : IDisposable
{
    private readonly List<nint> _allocated = [];
    private readonly nint[] _outputs;

    /// <param name="weights">The model.</param>
    /// <param name="slots">How many slots.</param>
    /// <param name="threads">Threads that work on them.</param>
    public SlotBuffers(InferenceWeights weights, int slots, int threads)
    {
        var config = weights.Config;
        Slots = slots;
        Hidden = weights.Columns.Hidden[^1];
        Queries = weights.Columns.Queries[^1];
        KeyValues = weights.Columns.KeyValues[^1];
        Intermediate = weights.Columns.Intermediate[^1];
        Vocabulary = config.VocabularySize;
        var layers = config.LayerCount;
        Residual = Allocate(Hidden);
        AttentionInput = [.. Enumerable.Range(0, layers).Select(_ => Allocate(Hidden))];
        AttentionOutput = [.. Enumerable.Range(0, layers).Select(_ => Allocate(Queries))];
        FeedForwardInput = [.. Enumerable.Range(0, layers).Select(_ => Allocate(Hidden))];
        FeedForwardHidden = [.. Enumerable.Range(0, layers).Select(_ => Allocate(Intermediate))];
        Query = Allocate(Queries);
        Key = Allocate(KeyValues);
        Value = Allocate(KeyValues);
        Gate = Allocate(Intermediate);
        Up = Allocate(Intermediate);
        Normed = [.. Enumerable.Range(0, threads).Select(_ => Allocate(Hidden))];
        Logits = Allocate(Vocabulary);
        _outputs = [Residual, Query, Key, Value, Gate, Up, Logits];
    }

    public int Slots { get; }

    /// <summary>D, floats of a slot's hidden features.</summary>
    public int Hidden { get; }

    /// <summary>Floats of a slot's queries.</summary>
    public int Queries { get; }

    /// <summary>Floats of a slot's keys.</summary>
    public int KeyValues { get; }

    /// <summary>F, floats of a slot's feed-forward features.</summary>
    public int Intermediate { get; }

    /// <summary>V.</summary>
    public int Vocabulary { get; }

    /// <summary>What products write.</summary>
    public nint this[SlotBuffer buffer] => _outputs[(int)buffer];

    /// <summary>Features of a layer at a site that later chains read.</summary>
    public nint this[int layer, FeatureSite site] => site switch
    {
        FeatureSite.AttentionInput => AttentionInput[layer],
        FeatureSite.AttentionOutput => AttentionOutput[layer],
        FeatureSite.FeedForwardInput => FeedForwardInput[layer],
        _ => FeedForwardHidden[layer],
    };

    /// <summary>[slots, D], what layers add to.</summary>
    public nint Residual { get; }

    /// <summary>For each layer [slots, D], normalised input of the attention.</summary>
    public nint[] AttentionInput { get; }

    /// <summary>For each layer [slots, queries], what the heads read.</summary>
    public nint[] AttentionOutput { get; }

    /// <summary>For each layer [slots, D], normalised input of the feed-forward.</summary>
    public nint[] FeedForwardInput { get; }

    /// <summary>For each layer [slots, F], silu(gate) · up.</summary>
    public nint[] FeedForwardHidden { get; }

    public nint Query { get; }

    public nint Key { get; }

    public nint Value { get; }

    public nint Gate { get; }

    public nint Up { get; }

    /// <summary>For each thread [slots, D], the normalised features that its products read.</summary>
    public nint[] Normed { get; }

    /// <summary>[slots, V], at the scale that the slot was last run to.</summary>
    public nint Logits { get; }

    public void Dispose()
    {
        _allocated.ForEach(AlignedMemory.Free);
        _allocated.Clear();
    }

    /// <summary>A slot's part of [slots, width].</summary>
    public static float* Slot(nint buffer, int slot, int width) => (float*)buffer + (long)slot * width;

    private nint Allocate(int width)
    {
        _allocated.Add(AlignedMemory.Allocate((long)Slots * width));
        return _allocated[^1];
    }
}
