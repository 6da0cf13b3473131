using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

/// <summary>Loads the tokenizer of a model folder.</summary>
public static class CoLMTokenizer
{
    /// <summary>
    /// Loads the tokenizer of a model folder: byte-pair encoding, from <c>tokenizer.json</c> (bytes, as Llama 3 has it, or
    /// characters, as Llama 2) or, where that file is not there, from the SentencePiece model <c>tokenizer.model</c>.
    /// </summary>
    /// <param name="folder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <returns>
    /// A tokenizer that gives the token ids of Hugging Face's tokenizers and is safe for several threads. Encoding puts special tokens
    /// around a text where the files say so, and takes text that spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>)
    /// for that token. Decoding leaves special tokens out.
    /// </returns>
    /// <remarks>
    /// <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> count as they do for
    /// transformers 5.12. Where a normalizer changes texts, the places of tokens are those in the normalized text.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, or the path is a file's.</exception>
    /// <exception cref="FileNotFoundException">The folder has neither of the two files.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, longer than any tokenizer's, or describes a tokenizer of another kind. The message names the file, the setting, and what
    /// was expected and found there.
    /// </exception>
    public static Tokenizer Load(string folder) => Load(folder, parseSpecialTokens: true);

    /// <summary>As <see cref="Load(string)"/>, with a say in what text that spells a special token means.</summary>
    /// <param name="folder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <param name="parseSpecialTokens">
    /// Whether it means that token. False takes it for text, so that nothing in a user's text becomes a special token; those that the
    /// files put around a text stay.
    /// </param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, or the path is a file's.</exception>
    /// <exception cref="FileNotFoundException">The folder has neither of the two files.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, too long, or describes a tokenizer of another kind.</exception>
    public static Tokenizer Load(string folder, bool parseSpecialTokens) =>
        TokenizerFiles.Read(folder).CreateTokenizer(parseSpecialTokens);
}
