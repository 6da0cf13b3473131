using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Continues texts with a Chain-of-Model language model, using as many of its chains as the options specify.
/// </summary>
/// <remarks>
/// A prompt is read as a document: it is preceded, once, by the model's beginning-of-text token
/// (<see cref="CoLMConfig.BosTokenId"/>). Thread-safe: every call has its own KV cache. Neither the model nor the tokenizer is
/// disposed.
/// </remarks>
/// <example>
/// <code>
/// using var model = CoLMModel.Load("model-folder");
/// var generator = new TextGenerator(model);
/// Console.WriteLine(generator.Generate("Once upon a time"));
///
/// // Sampled, from the first chain alone, as it comes.
/// var options = new GenerationOptions { ChainCount = 1, Temperature = 0.8, TopP = 0.95, MaxNewTokens = 64 };
/// await foreach (var text in generator.GenerateStreamingAsync("Once upon a time", options))
///     Console.Write(text);
/// </code>
/// </example>
public sealed partial class TextGenerator
{
    // The number of a batch's texts that are generated at a time, and so the number of sequences in memory: as many as a
    // session runs in one pass.
    private const int SequencesAtOnce = 16;

    private readonly CoLMModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly Func<CoLMModel, int, int, bool, IDecodingSession> _createSession;

    /// <summary>Creates a generator that uses the tokenizer that came with the model.</summary>
    /// <param name="model">
    /// A model that was loaded from a folder with a tokenizer, was grown or tuned from such a model, or belongs to a
    /// transformer.
    /// </param>
    /// <exception cref="ArgumentException">The model came without a tokenizer.</exception>
    /// <exception cref="InvalidDataException">A tokenizer file is damaged, or of an unsupported kind.</exception>
    public TextGenerator(CoLMModel model)
        : this(model, TokenizerOf(model))
    {
    }

    /// <summary>Creates a generator with a given tokenizer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">
    /// The model's tokenizer; use <see cref="CoLMTokenizer.Load(string)"/> to load that of a model folder.
    /// </param>
    public TextGenerator(CoLMModel model, Tokenizer tokenizer)
        : this(model, tokenizer, DecodingSession.Create)
    {
    }

    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="createSession">
    /// Starts a session for a model, a number of sequences, the maximum tokens of each, and whether tokens may first be run
    /// through few chains and later through more.
    /// </param>
    internal TextGenerator(
        CoLMModel model, Tokenizer tokenizer, Func<CoLMModel, int, int, bool, IDecodingSession> createSession)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _createSession = createSession;
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">The text to continue; an empty one begins with the beginning-of-text token alone.</param>
    /// <param name="options">How to generate; null uses the defaults, which are greedy.</param>
    /// <param name="cancellationToken">Cancels before the next pass, or between chunks of the prompt.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentException">
    /// An option is out of range; the prompt exceeds the model's context, has tokens outside its vocabulary, or is empty
    /// although the model has no beginning-of-text token.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public string Generate(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GenerateResult(prompt, options, cancellationToken).Text;

    /// <summary>Continues a prompt, and returns the token ids, the finish reason and statistics with the text.</summary>
    /// <param name="prompt">The text to continue; an empty one begins with the beginning-of-text token alone.</param>
    /// <param name="options">How to generate; null uses the defaults, which are greedy.</param>
    /// <param name="cancellationToken">Cancels before the next pass, or between chunks of the prompt.</param>
    /// <returns>The continuation.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Generate"/>.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public GenerationResult GenerateResult(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var settings = Check(options);
        return Run([Encode(prompt, nameof(prompt), settings)], settings, firstPrompt: 0, onText: null, cancellationToken)[0];
    }

    /// <summary>Continues several prompts together.</summary>
    /// <remarks>
    /// 16 texts are generated at a time; when one ends, the next prompt takes its place. The KV cache holds as many sequences,
    /// each with room for the longest so far. On a GPU, and in float16, libtorch's products may round differently for other
    /// numbers of texts, so that a text can take another turn where two tokens are almost equally probable.
    /// </remarks>
    /// <param name="prompts">The texts to continue, of any length and number.</param>
    /// <param name="options">
    /// How to generate; <see cref="GenerationOptions.Seed"/> describes how the prompts' random numbers differ. Null uses the
    /// defaults, which are greedy.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next pass, or between chunks of a prompt.</param>
    /// <returns>A continuation for each prompt, the same as <see cref="GenerateResult"/> returns for it.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Generate"/>; the message names the prompt.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public IReadOnlyList<GenerationResult> GenerateBatch(
        IReadOnlyList<string> prompts, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        var settings = Check(options);
        int[][] encoded = [.. prompts.Select((prompt, i) => Encode(prompt, $"{nameof(prompts)}[{i}]", settings))];
        if (encoded.Length == 0)
            return [];
        return settings.Speculates(_model.Config)
            ? [.. encoded.Select((prompt, i) => Run([prompt], settings, i, onText: null, cancellationToken)[0])]
            : Run(encoded, settings, firstPrompt: 0, onText: null, cancellationToken);
    }

    /// <summary>Continues a prompt on the thread pool, and streams the text as it is generated.</summary>
    /// <param name="prompt">The text to continue; an empty one begins with the beginning-of-text token alone.</param>
    /// <param name="options">How to generate; null uses the defaults, which are greedy.</param>
    /// <param name="cancellationToken">
    /// Cancels before the next pass, or between chunks of the prompt. Leaving the enumeration early also ends generation.
    /// </param>
    /// <returns>
    /// Pieces that concatenate to what <see cref="Generate"/> returns. None is empty, splits a character, or contains text that
    /// may still become a stop text. Generation starts with the enumeration, and restarts with every further one.
    /// </returns>
    /// <exception cref="ArgumentException">As for <see cref="Generate"/>; for a schedule, during the enumeration.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">
    /// During the enumeration: the model's logits are NaN or infinite.
    /// </exception>
    /// <exception cref="OperationCanceledException">During the enumeration: the operation was cancelled.</exception>
    public IAsyncEnumerable<string> GenerateStreamingAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var settings = Check(options);
        return StreamAsync(Encode(prompt, nameof(prompt), settings), settings, cancellationToken);
    }

    /// <summary>
    /// Continues tokens of which a session's first sequence may already have some or all in its cache, such as a cache that
    /// another process filled.
    /// </summary>
    /// <param name="session">It is not disposed.</param>
    /// <param name="tokens">The prompt's tokens, beginning-of-text token included.</param>
    /// <param name="options">How to generate.</param>
    /// <param name="capacity">Tokens that the session's cache has room for.</param>
    /// <param name="onText">Receives text as it is generated.</param>
    /// <param name="cancellation">Cancels before the next pass.</param>
    internal GenerationResult Resume(
        IDecodingSession session, IReadOnlyList<int> tokens, GenerationOptions? options, int capacity,
        Action<string>? onText = null, CancellationToken cancellation = default)
    {
        var settings = Check(options);
        CheckTokens(tokens, nameof(tokens));
        var sequence = CreateSequence(tokens, settings, prompt: 0, onText, capacity);
        return Run(session, [sequence], settings, cancellation)[0];
    }

    private async IAsyncEnumerable<string> StreamAsync(
        int[] prompt, GenerationOptions settings, [EnumeratorCancellation] CancellationToken token)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var texts = Channel.CreateUnbounded<string>(new() { SingleReader = true, SingleWriter = true });
        var generation = Task.Run(Generate, CancellationToken.None);
        try
        {
            await foreach (var text in texts.Reader.ReadAllAsync(token).ConfigureAwait(false))
                yield return text;
            token.ThrowIfCancellationRequested();
            await generation.ConfigureAwait(false);
        }
        finally
        {
            // A caller that leaves the enumeration may dispose the model next.
            await stop.CancelAsync().ConfigureAwait(false);
            await generation.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        void Generate()
        {
            try
            {
                Run([prompt], settings, firstPrompt: 0, text => texts.Writer.TryWrite(text), stop.Token);
            }
            finally
            {
                texts.Writer.Complete();
            }
        }
    }

    private GenerationResult[] Run(
        int[][] prompts, GenerationOptions settings, int firstPrompt, Action<string>? onText,
        CancellationToken cancellation)
    {
        GeneratedSequence[] sequences = [.. prompts.Select((prompt, i) =>
            CreateSequence(prompt, settings, firstPrompt + i, onText))];
        using var session = _createSession(_model, Math.Min(sequences.Length, SequencesAtOnce),
            sequences.Max(sequence => sequence.Limit), settings.ChainSchedule is not null);
        return Run(session, sequences, settings, cancellation);
    }

    private GenerationResult[] Run(
        IDecodingSession session, GeneratedSequence[] sequences, GenerationOptions settings,
        CancellationToken cancellation)
    {
        long[] before = [.. session.KeyValuesComputed];
        var sampler = new TokenSampler(settings, _model.Config.VocabularySize);
        if (settings.Speculates(_model.Config))
        {
            foreach (var sequence in sequences)
                new Speculation(session, sampler, sequence, _model.Config, settings).Run(cancellation);
        }
        else
        {
            new PlainDecoding(session, sampler, sequences, Math.Min(sequences.Length, SequencesAtOnce)).Run(cancellation);
        }
        long[] computed = [.. session.KeyValuesComputed.Select((count, chain) => count - before[chain])];
        return [.. sequences.Select(sequence => sequence.ToResult(computed))];
    }

    private GeneratedSequence CreateSequence(
        IReadOnlyList<int> tokens, GenerationOptions settings, int prompt, Action<string>? onText,
        int capacity = int.MaxValue) =>
        new(tokens, _model.Config, _model.EndTokenIds, _tokenizer, settings, unchecked(settings.Seed + prompt), onText, capacity);

    private GenerationOptions Check(GenerationOptions? options)
    {
        _model.CheckUsable();
        return (options ?? new()).Checked(_model.Config);
    }

    private static Tokenizer TokenizerOf(CoLMModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.TokenizerFiles is not null ? model.CreateTokenizer() : throw new ArgumentException(
            "The model came without a tokenizer: where it was loaded from, there is neither tokenizer.model nor tokenizer.json. " +
            $"Give the generator one beside the model, for example {nameof(CoLMTokenizer)}.{nameof(CoLMTokenizer.Load)} of " +
            "another folder.", nameof(model));
    }

    private int[] Encode(string prompt, string name, GenerationOptions? settings = null)
    {
        ArgumentNullException.ThrowIfNull(prompt, name);
        var tokenizer = settings is { ParseSpecialTokens: false } && _tokenizer is ModelTokenizer model
            ? model.WithSpecialTokens(parsed: false)
            : _tokenizer;
        var tokens = tokenizer.EncodePrompt(prompt, _model.Config.BosTokenId);
        CheckTokens(tokens, name);
        return tokens;
    }

    private void CheckTokens(IReadOnlyList<int> tokens, string name)
    {
        var config = _model.Config;
        if (tokens.Count == 0)
        {
            throw new ArgumentException($"{name} must have a token to begin with, but it is empty and the model has " +
                "no beginning-of-text token.", name);
        }
        if (tokens.Count > config.ContextLength)
        {
            throw new ArgumentException($"{name} has {tokens.Count} tokens, which is longer than the model's context " +
                $"of {config.ContextLength}.", name);
        }
        // The text's own tokens say more than the one in front of it.
        for (var i = tokens.Count - 1; i >= 0; i--)
            config.CheckTokenId(tokens[i], name);
    }
}
