using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>A prompt and what was generated after it so far.</summary>
internal sealed class GeneratedSequence
{
    private readonly CoLMConfig _config;
    private readonly GenerationOptions _options;
    private readonly int[] _endTokens;
    private readonly int[] _stopTokens;
    private readonly TextStream _text;
    private readonly Action<string>? _onText;
    private readonly List<int> _tokens;
    private readonly List<int> _chainCounts = [];
    private readonly int _promptLength;
    private (double Entropy, double Margin)? _confidence;

    /// <summary>How many chains every token in the session's cache was run through.</summary>
    private int _cachedChains;

    /// <param name="prompt">At least one token; all fit the context.</param>
    /// <param name="config">The model's.</param>
    /// <param name="endTokens">Tokens that end a text.</param>
    /// <param name="tokenizer">Makes text of tokens.</param>
    /// <param name="options">Checked options.</param>
    /// <param name="seed">Seed of its random numbers; null draws one.</param>
    /// <param name="onText">Gets text as it comes; never an empty one.</param>
    /// <param name="capacity">The most tokens that there is room for.</param>
    public GeneratedSequence(
        IReadOnlyList<int> prompt, CoLMConfig config, IReadOnlyList<int> endTokens, Tokenizer tokenizer, GenerationOptions options,
        int? seed, Action<string>? onText, int capacity)
    {
        _tokens = [.. prompt];
        _promptLength = prompt.Count;
        _config = config;
        _options = options;
        _endTokens = [.. endTokens];
        _stopTokens = [.. options.StopTokenIds];
        _text = new TextStream(Detokenizer.Create(tokenizer, prompt), options.StopTexts);
        _onText = onText;
        Limit = (int)Math.Min(
            Math.Min(config.ContextLength, capacity), (long)prompt.Count + options.MaxNewTokens);
        Random = seed is int number ? new Random(Scramble(number)) : new Random();
        if (options.RepetitionPenalty != 1)
        {
            History = new TokenHistory();
            foreach (var token in prompt)
                History.Add(token);
        }
        if (Remaining == 0)
            FinishReason = CoLM.FinishReason.Length;
    }

    /// <summary>Which of the session's sequences it is.</summary>
    public int Index { get; set; }

    /// <summary>The most tokens it can have, the prompt's included.</summary>
    public int Limit { get; }

    /// <summary>Tokens that may still be generated.</summary>
    public int Remaining => Limit - _tokens.Count;

    /// <summary>Tokens of the prompt and those generated after it.</summary>
    public int Length => _tokens.Count;

    public Random Random { get; }

    /// <summary>Its tokens, where there is a repetition penalty.</summary>
    public TokenHistory? History { get; }

    /// <summary>Why it ended; null while it goes on.</summary>
    public FinishReason? FinishReason { get; private set; }

    /// <summary>Chains for the next token.</summary>
    public int ChainCount { get; private set; }

    /// <summary>The last token, to be run for the one after it.</summary>
    public DecodingRow LastRow => new(Index, _tokens.Count - 1, _tokens[^1]);

    public int FullPassCount { get; set; }

    public int DraftedTokenCount { get; set; }

    public int AcceptedTokenCount { get; set; }

    /// <summary>Brings all its tokens but the last into the session's cache, where they are not there yet.</summary>
    public void Prefill(IDecodingSession session, CancellationToken cancellation)
    {
        ChooseChainCount();
        var wanted = _tokens.Count - 1;
        if (session.Length(Index) > wanted)
            session.Trim(Index, wanted);
        var cached = session.Length(Index);
        // A cache that came filled does not say through how many chains: growing it finds out.
        if (cached > 0)
            session.Grow(Index, ChainCount);
        if (cached < wanted)
        {
            session.Prefill(
                Index, CollectionsMarshal.AsSpan(_tokens)[cached..wanted], ChainCount, _tokens.Count, cancellation);
        }
        _cachedChains = wanted == 0 ? int.MaxValue : ChainCount;
    }

    /// <summary>Makes the session's cache ready for the last token to be run through the chains chosen.</summary>
    public void PrepareCache(IDecodingSession session)
    {
        if (ChainCount > _cachedChains)
            session.Grow(Index, ChainCount);
        _cachedChains = ChainCount;
    }

    /// <summary>Decides on the chains for the next token.</summary>
    /// <exception cref="ArgumentException">The schedule gives a chain count that the model does not have.</exception>
    public void ChooseChainCount()
    {
        if (_options.ChainSchedule is not { } schedule)
        {
            ChainCount = _options.ChainsInUse(_config);
            return;
        }
        var step = new ChainScheduleStep(
            _tokens.Count, _tokens.Count - _promptLength, _confidence?.Entropy, _confidence?.Margin);
        ChainCount = schedule(step);
        if (ChainCount >= 1 && ChainCount <= _config.ChainCount)
            return;
        throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
            $"{nameof(GenerationOptions.ChainSchedule)} must give between 1 and the model's {_config.ChainCount} " +
            $"chains ({{{_config.Layout}}}), found {ChainCount} for position {step.Position}."),
            nameof(GenerationOptions.ChainSchedule));
    }

    /// <summary>Whether more is asked of logits than a token.</summary>
    public bool AsksForConfidence => _options.ChainSchedule is not null;

    /// <summary>Chooses the next token and appends it.</summary>
    /// <param name="slots">Chooses.</param>
    /// <param name="slot">By these logits.</param>
    public void AppendSample(SlotSampler slots, int slot)
    {
        int token;
        if (!AsksForConfidence)
        {
            token = slots.Sample(slot, History, Random);
        }
        else
        {
            token = slots.Sample(slot, History, Random, out var entropy, out var margin);
            _confidence = (entropy, margin);
        }
        Append(token);
    }

    /// <summary>Whether a token ends the text.</summary>
    public bool IsEnd(int token) => _endTokens.Contains(token) || _stopTokens.Contains(token);

    /// <summary>Appends the next token, and says in <see cref="FinishReason"/> whether it is the last.</summary>
    public void Append(int token)
    {
        _tokens.Add(token);
        _chainCounts.Add(ChainCount);
        History?.Add(token);
        if (_endTokens.Contains(token))
            FinishReason = CoLM.FinishReason.EndOfText;
        else if (_stopTokens.Contains(token))
            FinishReason = CoLM.FinishReason.StopToken;
        else if (_text.Append(token))
            FinishReason = CoLM.FinishReason.StopText;
        else if (Remaining == 0)
            FinishReason = CoLM.FinishReason.Length;
        if (FinishReason is not null and not CoLM.FinishReason.StopText)
            _text.Complete();
        if (_onText is not null && _text.TakeNew() is { IsEmpty: false } text)
            _onText(text.ToString());
    }

    /// <summary>The result of a sequence that ended.</summary>
    public GenerationResult ToResult(IReadOnlyList<long> keyValuesComputed) => new(
        _text.Text, new ItemList<int>(CollectionsMarshal.AsSpan(_tokens)[_promptLength..]), FinishReason!.Value, _promptLength,
        new(FullPassCount, DraftedTokenCount, AcceptedTokenCount, _chainCounts, keyValuesComputed));

    // Random's first numbers are alike where seeds are; the last step of MurmurHash3 makes neighbouring seeds unlike.
    private static int Scramble(int seed)
    {
        var bits = (uint)seed;
        bits = (bits ^ (bits >> 16)) * 0x85EBCA6B;
        bits = (bits ^ (bits >> 13)) * 0xC2B2AE35;
        return (int)(bits ^ (bits >> 16));
    }
}
