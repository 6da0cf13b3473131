using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

/// <summary>Loads the tokenizer of a model folder.</summary>
public static class CoLMTokenizer
{
    /// <summary>
    /// Loads the tokenizer of a model folder: byte-pair encoding from <c>tokenizer.json</c> (byte-level, as in Llama 3, or
    /// character-level, as in Llama 2) or, if that file does not exist, from the SentencePiece model <c>tokenizer.model</c>.
    /// </summary>
    /// <param name="folder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <returns>
    /// A thread-safe tokenizer that returns the same token ids as Hugging Face's tokenizers. Encoding adds special tokens
    /// around a text if the files say so, and encodes text that spells a special token (<c>&lt;/s&gt;</c>,
    /// <c>&lt;|eot_id|&gt;</c>) as that token. Decoding omits special tokens.
    /// </returns>
    /// <remarks>
    /// <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> have the same effect as in
    /// transformers 5.12. If a normalizer changes texts, token offsets refer to the normalized text.
    /// </remarks>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist, or the path is a file.</exception>
    /// <exception cref="FileNotFoundException">The folder has neither of the two files.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, longer than any tokenizer's, or describes an unsupported tokenizer. The message names the file, the
    /// setting, and what was expected and found.
    /// </exception>
    public static Tokenizer Load(string folder) => Load(folder, parseSpecialTokens: true);

    /// <summary>As <see cref="Load(string)"/>, with a choice of how text that spells a special token is encoded.</summary>
    /// <param name="folder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <param name="parseSpecialTokens">
    /// Whether it is encoded as that token. False treats it as plain text, so nothing in a user's text becomes a special token;
    /// those that the files add around a text remain.
    /// </param>
    /// <returns>The tokenizer.</returns>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist, or the path is a file.</exception>
    /// <exception cref="FileNotFoundException">The folder has neither of the two files.</exception>
    /// <exception cref="InvalidDataException">A file is damaged, too long, or describes an unsupported tokenizer.</exception>
    public static Tokenizer Load(string folder, bool parseSpecialTokens) =>
        TokenizerFiles.Read(folder).CreateTokenizer(parseSpecialTokens);
}
