using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>The sizes of a well-known model, to be shared out to chains.</summary>
/// <param name="Name">How the command line calls it.</param>
/// <param name="Width">Features of a token.</param>
/// <param name="LayerCount">Decoder layers.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="KeyValueHeads">Key-value heads.</param>
/// <param name="FeedForward">Feed-forward features.</param>
/// <param name="Vocabulary">Token ids.</param>
/// <param name="ContextLength">The longest sequence, in tokens.</param>
/// <param name="RopeTheta">Base of the rotary embedding's wavelengths.</param>
/// <param name="RopeScaling">LLaMA 3's rotary scaling; null for none.</param>
internal sealed record ModelShape(
    string Name, int Width, int LayerCount, int Heads, int KeyValueHeads, int FeedForward, int Vocabulary,
    int ContextLength, double RopeTheta, RopeScaling? RopeScaling)
{
    /// <summary>
    /// A LLaMA of 100M parameters, LLaMA-3.2-1B, two narrow layers below its vocabulary, and one to try a command with.
    /// </summary>
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        new("100m", 768, 12, 12, 4, 2048, 32000, ContextLength: 131072, RopeTheta: 10000, RopeScaling: null),
        new("1b", 2048, 16, 32, 8, 8192, 128256, ContextLength: 131072, RopeTheta: 500000,
            new Llama3RopeScaling(factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192)),
        new("vocabulary", 512, 2, 8, 8, 1024, 128256, ContextLength: 131072, RopeTheta: 500000, RopeScaling: null),
        new("tiny", 64, 2, 8, 2, 128, 1000, ContextLength: 2048, RopeTheta: 10000, RopeScaling: null),
    ];

    /// <summary>A model of this shape.</summary>
    /// <param name="layout">
    /// Heads of each chain: with as many in all as the shape has, the model is as wide in all as the shape. Null is one
    /// chain.
    /// </param>
    /// <param name="keyValueHeads">Of the first chain; null takes as many of the shape's as the layout allows.</param>
    /// <param name="kvSharing">Whether all chains share the first one's keys and values.</param>
    /// <exception cref="ArgumentException">The layout does not fit.</exception>
    public CoLMConfig Config(ChainLayout? layout, int? keyValueHeads, bool kvSharing)
    {
        layout ??= new ChainLayout(Heads);
        var first = layout.Heads[0];
        return new CoLMConfig
        {
            Layout = layout,
            KvSharing = kvSharing,
            HiddenSize = Share(Width, first),
            IntermediateSize = Share(FeedForward, first),
            HeadDimension = Width / Heads,
            KeyValueHeadCount = keyValueHeads ?? MostKeyValueHeads(layout, kvSharing),
            LayerCount = LayerCount,
            VocabularySize = Vocabulary,
            ContextLength = ContextLength,
            RopeTheta = RopeTheta,
            RopeScaling = RopeScaling,
            TieWordEmbeddings = true,
        }.Validated();
    }

    private int Share(int width, int heads) => (long)width * heads % Heads == 0
        ? checked((int)((long)width * heads / Heads))
        : throw new ArgumentException(
            $"{heads} of the {Heads} heads of {Name} have no whole share of its {width} features.");

    private int MostKeyValueHeads(ChainLayout layout, bool kvSharing)
    {
        var first = layout.Heads[0];
        for (var count = KeyValueHeads; count > 1; count--)
        {
            var fits = layout.Heads.All(heads => kvSharing ? heads % count == 0 : heads * count % first == 0);
            if (fits && first % count == 0)
                return count;
        }
        return kvSharing ? 1 : first; // what every layout allows
    }
}
