using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The architecture of a Chain-of-Language-Model: a LLaMA configuration for the first chain, and the <see cref="ChainLayout"/>
/// that determines the relative width of each further chain (arXiv 2505.11820).
/// </summary>
/// <remarks>
/// All widths are the first chain's; chain i's are c_i / c_1 times as large. Settings are named as in Hugging Face's
/// <c>config.json</c>, in .NET casing. Two configurations are equal if all settings are, regardless of their source.
/// </remarks>
public sealed record CoLMConfig
{
    private readonly ItemList<int> _eosTokenIds = new([]);
    private readonly ItemList<WeightFormat?> _weightFormats = new([]);
    private readonly SourceText _source;

    /// <summary>The number of attention heads of each chain.</summary>
    public required ChainLayout Layout { get; init; }

    /// <summary>Whether all chains share the first chain's keys and values (the paper's CoLM-Air). Default: false.</summary>
    public bool KvSharing { get; init; }

    /// <summary>The vocabulary size, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>The number of features of the first chain, D_1.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>The number of feed-forward features of the first chain, F_1.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>The number of decoder layers.</summary>
    public required int LayerCount { get; init; }

    /// <summary>
    /// The number of key-value heads of the first chain, g_1; <see langword="null"/> means one per attention head.
    /// Default: null.
    /// </summary>
    public int? KeyValueHeadCount { get; init; }

    /// <summary>
    /// The number of features of an attention head, d; <see langword="null"/> means D_1 / c_1. Default: null.
    /// </summary>
    public int? HeadDimension { get; init; }

    /// <summary>
    /// The longest sequence that the model accepts, in tokens. When read from a folder, it is <c>max_position_embeddings</c> of
    /// <c>config.json</c>, or 2048 if absent; with a <see cref="RopeScaling"/> of type <c>linear</c> or <c>dynamic</c>, that
    /// times the factor, rounded down; with type <c>yarn</c>, the original context times the factor if that is longer.
    /// Default: 2048.
    /// </summary>
    public int ContextLength { get; init; } = 2048;

    /// <summary>The epsilon added to the mean square in RMSNorm. Default: 1e-6.</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary>The base of the rotary embedding's wavelengths. Default: 10000.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>How the rotary embedding is scaled, or <see langword="null"/> for no scaling. Default: null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>
    /// Whether the first chain's head is tied to its embedding. Later chains always have their own head. Default: false.
    /// </summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>
    /// The id of the beginning-of-text token, or <see langword="null"/> if the model has none. Default: null.
    /// </summary>
    public int? BosTokenId { get; init; }

    /// <summary>The ids of the tokens that end a text; may be empty. Default: none.</summary>
    public IReadOnlyList<int> EosTokenIds
    {
        get => _eosTokenIds;
        init
        {
            ArgumentNullException.ThrowIfNull(value, nameof(EosTokenIds));
            _eosTokenIds = new ItemList<int>(value);
        }
    }

    /// <summary>
    /// How each chain's matrices are quantised, null for a chain whose weights are numbers: <see cref="CoLMModel.Quantize(WeightFormat)"/>.
    /// Default: null for each chain.
    /// </summary>
    public IReadOnlyList<WeightFormat?> WeightFormats
    {
        get => new ItemList<WeightFormat?>(
            Enumerable.Range(0, ChainCount).Select(chain => chain < _weightFormats.Count ? _weightFormats[chain] : null));
        // Without the nulls at its end, so that equal configurations are equal.
        internal init => _weightFormats = new([.. value.Reverse().SkipWhile(format => format is null).Reverse()]);
    }

    /// <summary>
    /// The <c>config.json</c> that this was read from, so that settings unknown to this library survive a save.
    /// </summary>
    internal string? SourceJson
    {
        get => _source.Json;
        init => _source = new SourceText(value);
    }

    internal int ChainCount => Layout.ChainCount;

    /// <summary>d.</summary>
    internal int HeadWidth => HeadDimension ?? HiddenSize / Layout.Heads[0];

    /// <summary>D_i.</summary>
    internal int Hidden(int chain) => Share(HiddenSize, chain);

    /// <summary>D_1 + ... + D_k, the width of scale k.</summary>
    internal int Width(int chainCount) => Enumerable.Range(0, chainCount).Sum(Hidden);

    /// <summary>F_i.</summary>
    internal int Intermediate(int chain) => Share(IntermediateSize, chain);

    /// <summary>c_i.</summary>
    internal int Heads(int chain) => Layout.Heads[chain];

    /// <summary>c_i · d, the width of chain i's queries.</summary>
    internal int QueryWidth(int chain) => Heads(chain) * HeadWidth;

    /// <summary>g_i; only without sharing, since with it later chains have no keys of their own.</summary>
    internal int KeyValueHeads(int chain) => Share(KeyValueHeadCount ?? Layout.Heads[0], chain);

    /// <summary>The number of chains with their own keys and values: only the first if they are shared.</summary>
    internal int KeyValueChains => KvSharing ? 1 : ChainCount;

    /// <summary>The chain whose keys and values a chain's heads read.</summary>
    internal int KeyValueChain(int chain) => KvSharing ? 0 : chain;

    /// <summary>Returns the same architecture with only its first <paramref name="chainCount"/> chains.</summary>
    internal CoLMConfig WithChainCount(int chainCount)
    {
        Layout.CheckChainCount(chainCount);
        return chainCount == ChainCount ? this : this with
        {
            Layout = Layout.Take(chainCount),
            WeightFormats = [.. WeightFormats.Take(chainCount)],
        };
    }

    /// <summary>The formats of the chains once some of them are quantised.</summary>
    /// <param name="formats">The format of each chain; null leaves a chain as it is.</param>
    /// <param name="parameterName">The caller's name for them.</param>
    /// <exception cref="ArgumentException">They do not fit the chains, or a chain is quantised already.</exception>
    internal IReadOnlyList<WeightFormat?> Quantized(IReadOnlyList<WeightFormat?> formats, string parameterName)
    {
        if (formats.Count != ChainCount)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"Expected a format for each of the {ChainCount} chains {{{Layout}}}, found {formats.Count}."), parameterName);
        }
        var results = WeightFormats.ToArray();
        for (var chain = 0; chain < results.Length; chain++)
        {
            if (formats[chain] is not { } format)
                continue;
            if (!Enum.IsDefined(format))
            {
                throw new ArgumentException(FormattableString.Invariant(
                    $"Expected a {nameof(WeightFormat)} for chain {chain + 1}, found {format}."), parameterName);
            }
            if (results[chain] is { } before)
            {
                throw new ArgumentException(FormattableString.Invariant($"Chain {chain + 1} is quantised already, as {before}: ") +
                    "quantise the model that it was made from, or leave the chain as it is with null.", parameterName);
            }
            results[chain] = format;
        }
        return results;
    }

    /// <summary>Throws an <see cref="ArgumentException"/> that names an id outside the vocabulary.</summary>
    internal void CheckTokenId(long id, string? parameterName = null)
    {
        if (id < 0 || id >= VocabularySize)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"Token id {id} is outside the vocabulary of {VocabularySize}."), parameterName);
        }
    }

    /// <summary>Rejects an architecture that cannot be built, naming the invalid number.</summary>
    /// <exception cref="ArgumentException">A size is not positive, or a division of the layout is not exact.</exception>
    internal CoLMConfig Validated()
    {
        if (Layout is null)
            throw new ArgumentException($"{nameof(Layout)} must be given: the attention heads of each chain.");
        CheckPositive(VocabularySize, nameof(VocabularySize));
        CheckPositive(HiddenSize, nameof(HiddenSize));
        CheckPositive(IntermediateSize, nameof(IntermediateSize));
        CheckPositive(LayerCount, nameof(LayerCount));
        CheckPositive(ContextLength, nameof(ContextLength));
        if (KeyValueHeadCount is { } keyValueHeads)
            CheckPositive(keyValueHeads, nameof(KeyValueHeadCount));
        if (HeadDimension is { } headDimension)
            CheckPositive(headDimension, nameof(HeadDimension));
        if (!(RmsNormEpsilon >= 0 && double.IsFinite(RmsNormEpsilon)))
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(RmsNormEpsilon)} must be a number of at least 0, found {RmsNormEpsilon}."));
        }
        if (!(RopeTheta > 0 && double.IsFinite(RopeTheta)))
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(RopeTheta)} must be a positive number, found {RopeTheta}."));
        }

        var firstHeads = Layout.Heads[0];
        var groups = KeyValueHeadCount ?? firstHeads;
        if (HeadDimension is null && HiddenSize % firstHeads != 0)
            throw Inexact($"{nameof(HiddenSize)} {HiddenSize} is not divisible by its {firstHeads} attention heads");
        if (HeadWidth % 2 != 0)
            throw Inexact($"the head dimension {HeadWidth} is odd, and the rotary embedding turns pairs of features");
        if (firstHeads % groups != 0)
            throw Inexact($"the first chain's {firstHeads} attention heads are not divisible by its {groups} key-value heads");

        for (var chain = 1; chain < ChainCount; chain++)
        {
            var heads = Layout.Heads[chain];
            CheckShare(HiddenSize, nameof(HiddenSize), chain);
            CheckShare(IntermediateSize, nameof(IntermediateSize), chain);
            if (KvSharing && heads % groups != 0)
            {
                throw Inexact($"chain {chain + 1} has {heads} heads, which is no multiple of the first chain's " +
                    $"{groups} key-value heads that all chains share");
            }
            if (!KvSharing)
                CheckShare(groups, nameof(KeyValueHeadCount), chain);
        }

        RopeScaling?.Check(this);

        // Widths of all chains together, for which every layer has a place.
        CheckWidth(HiddenSize, nameof(HiddenSize));
        CheckWidth(IntermediateSize, nameof(IntermediateSize));
        CheckWidth((long)HeadWidth * firstHeads, HeadDimension is null ? nameof(HiddenSize) : nameof(HeadDimension));
        CheckId(BosTokenId, nameof(BosTokenId), "bos_token_id");
        foreach (var id in EosTokenIds)
            CheckId(id, nameof(EosTokenIds), "eos_token_id");
        return this;
    }

    private int Share(int width, int chain) => (int)((long)width * Layout.Heads[chain] / Layout.Heads[0]);

    private void CheckShare(int width, string name, int chain)
    {
        if ((long)width * Layout.Heads[chain] % Layout.Heads[0] != 0)
        {
            throw Inexact($"{name} {width} times chain {chain + 1}'s {Layout.Heads[chain]} heads is not divisible by " +
                $"the first chain's {Layout.Heads[0]}");
        }
    }

    private void CheckWidth(long firstWidth, string name)
    {
        var heads = Layout.Heads.Sum(heads => (long)heads);
        if ((Int128)firstWidth * heads / Layout.Heads[0] > int.MaxValue)
        {
            throw Inexact($"the chains' {heads} attention heads make {name} so large that the chains together are wider " +
                $"than {int.MaxValue}");
        }
    }

    private void CheckId(int? id, string name, string jsonName)
    {
        if (id < 0 || id >= VocabularySize)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{name} ({jsonName} in config.json) must be within the vocabulary of {VocabularySize}, found {id}."));
        }
    }

    private ArgumentException Inexact(string problem) => new($"The chain layout {{{Layout}}} does not fit: {problem}.");

    private static void CheckPositive(int value, string name)
    {
        if (value < 1)
            throw new ArgumentException(FormattableString.Invariant($"{name} must be at least 1, found {value}."));
    }
}
