using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM;

/// <summary>Loads the tokenizer of a model folder.</summary>
public static class CoLMTokenizer
{
    /// <summary>
    /// Loads the tokenizer of a model folder: SentencePiece byte-pair encoding from <c>tokenizer.model</c> (LLaMA and
    /// Llama 2) or, where that file is not there, byte-level byte-pair encoding from <c>tokenizer.json</c> (Llama 3).
    /// </summary>
    /// <param name="folder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <returns>
    /// A tokenizer that gives the token ids of Hugging Face's tokenizers and is safe for several threads. Encoding puts
    /// the beginning-of-text token in front where the files say so, and takes text that spells a special token
    /// (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>) for that token. Decoding leaves special tokens out.
    /// </returns>
    /// <exception cref="ArgumentException">The path is empty.</exception>
    /// <exception cref="DirectoryNotFoundException">There is no such folder, or the path is a file's.</exception>
    /// <exception cref="FileNotFoundException">The folder has neither of the two files.</exception>
    /// <exception cref="InvalidDataException">
    /// A file is damaged, longer than any tokenizer's, or describes a tokenizer of another kind. The message names the file, the setting, and what
    /// was expected and found there.
    /// </exception>
    public static Tokenizer Load(string folder) => TokenizerFiles.Read(folder).CreateTokenizer();
}
