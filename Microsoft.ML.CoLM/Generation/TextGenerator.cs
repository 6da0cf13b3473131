using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Continues texts with a Chain-of-Model language model, using as many of its chains as the options say.
/// </summary>
/// <remarks>
/// A prompt is read as a document: the model's beginning-of-text token (<see cref="CoLMConfig.BosTokenId"/>) stands in
/// front of it, once. Safe for several threads: every call has a KV cache of its own. Neither the model nor the
/// tokenizer is disposed.
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
    // Texts of a batch that are generated at a time, and so the sequences that there is memory for: as many as a session
    // runs in one pass.
    private const int SequencesAtOnce = 16;

    private readonly CoLMModel _model;
    private readonly Tokenizer _tokenizer;
    private readonly Func<CoLMModel, int, int, bool, IDecodingSession> _createSession;

    /// <summary>A generator that reads and writes with the tokenizer that came with the model.</summary>
    /// <param name="model">
    /// A model that was loaded from a folder with a tokenizer, or grown or tuned from such a one, or is a transformer's.
    /// </param>
    /// <exception cref="ArgumentException">The model came without a tokenizer.</exception>
    /// <exception cref="InvalidDataException">A file of its tokenizer is damaged, or of a kind that is not supported.</exception>
    public TextGenerator(CoLMModel model)
        : this(model, TokenizerOf(model))
    {
    }

    /// <summary>A generator with a tokenizer of its own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">
    /// The model's tokenizer; a model folder's comes from <see cref="CoLMTokenizer.Load(string)"/>.
    /// </param>
    public TextGenerator(CoLMModel model, Tokenizer tokenizer)
        : this(model, tokenizer, DecodingSession.Create)
    {
    }

    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="createSession">
    /// Starts a session for a model, a number of sequences, tokens that each may have, and whether tokens may be run
    /// through few chains first and more later.
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
    /// <param name="options">How; null takes the defaults, which are greedy.</param>
    /// <param name="cancellationToken">Ends generation before the next pass, or between chunks of the prompt.</param>
    /// <returns>The continuation, without the prompt.</returns>
    /// <exception cref="ArgumentException">
    /// An option is out of range; the prompt has more tokens than the model's context, has tokens outside its
    /// vocabulary, or is empty while the model has no beginning-of-text token.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are not numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public string Generate(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        GenerateResult(prompt, options, cancellationToken).Text;

    /// <summary>Continues a prompt, and tells tokens, the reason for the end, and what it took.</summary>
    /// <param name="prompt">The text to continue; an empty one begins with the beginning-of-text token alone.</param>
    /// <param name="options">How; null takes the defaults, which are greedy.</param>
    /// <param name="cancellationToken">Ends generation before the next pass, or between chunks of the prompt.</param>
    /// <returns>The continuation.</returns>
    /// <exception cref="ArgumentException">As <see cref="Generate"/>.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are not numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public GenerationResult GenerateResult(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var settings = Check(options);
        return Run([Encode(prompt, nameof(prompt), settings)], settings, firstPrompt: 0, onText: null, cancellationToken)[0];
    }

    /// <summary>Continues several prompts side by side.</summary>
    /// <remarks>
    /// 16 texts are generated at a time; where one has ended, the next prompt follows. The KV cache has memory for as many,
    /// each as long as the longest so far.
    /// </remarks>
    /// <param name="prompts">Texts to continue, of any lengths and any number.</param>
    /// <param name="options">
    /// How; <see cref="GenerationOptions.Seed"/> says how each prompt's random numbers differ. Null takes the defaults, which
    /// are greedy.
    /// </param>
    /// <param name="cancellationToken">Ends generation before the next pass, or between chunks of a prompt.</param>
    /// <returns>A continuation for each prompt: the one that <see cref="GenerateResult"/> gives it.</returns>
    /// <exception cref="ArgumentException">As <see cref="Generate"/>; the message names the prompt.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The model's logits are not numbers.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
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

    /// <summary>Continues a prompt on the thread pool, and gives the text as it comes.</summary>
    /// <param name="prompt">The text to continue; an empty one begins with the beginning-of-text token alone.</param>
    /// <param name="options">How; null takes the defaults, which are greedy.</param>
    /// <param name="cancellationToken">
    /// Ends generation before the next pass, or between chunks of the prompt. Leaving the enumeration early ends it,
    /// too.
    /// </param>
    /// <returns>
    /// Pieces that concatenate to what <see cref="Generate"/> returns. None is empty, splits a character, or holds text
    /// that may still become a stop text. Generation begins with the enumeration, and anew with every further one.
    /// </returns>
    /// <exception cref="ArgumentException">As <see cref="Generate"/>; a schedule's during the enumeration.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="InvalidOperationException">
    /// During the enumeration: the model's logits are not numbers.
    /// </exception>
    /// <exception cref="OperationCanceledException">During the enumeration: it was cancelled.</exception>
    public IAsyncEnumerable<string> GenerateStreamingAsync(
        string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        var settings = Check(options);
        return StreamAsync(Encode(prompt, nameof(prompt), settings), settings, cancellationToken);
    }

    /// <summary>
    /// Continues tokens that a session's first sequence may have in its cache already, all or some of them, such as a
    /// cache that another process filled.
    /// </summary>
    /// <param name="session">It is not disposed.</param>
    /// <param name="tokens">The prompt's tokens, beginning-of-text token included.</param>
    /// <param name="options">How.</param>
    /// <param name="capacity">Tokens that the session's cache has room for.</param>
    /// <param name="onText">Gets text as it comes.</param>
    /// <param name="cancellation">Ends generation before the next pass.</param>
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
            // Whoever leaves the enumeration may dispose the model next.
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
