using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A token that is recognised in the text as it stands, before anything else is done to the text.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">Its characters, at least one.</param>
/// <param name="IsSpecial">Whether it marks something (a document's beginning) rather than being text.</param>
internal readonly record struct AddedToken(int Id, string Content, bool IsSpecial)
{
    /// <summary>Texts are searched for each of them; names of special tokens have some 30 characters.</summary>
    public const int MostCharacters = 1024;

    /// <summary>Reads an added token as <c>tokenizer.json</c> and <c>tokenizer_config.json</c> describe it.</summary>
    /// <exception cref="InvalidDataException">It has an option that is not supported, or far too many characters.</exception>
    public static AddedToken Read(JsonField description, int id)
    {
        foreach (string option in (string[])["single_word", "lstrip", "rstrip"])
            description[option].RequireFlag(false, defaultValue: false);
        JsonField content = description["content"];
        return content.Text.Length is > 0 and <= MostCharacters
            ? new(id, content.Text, description["special"].Flag(defaultValue: false))
            : throw content.Refuse($"at least one character and at most {MostCharacters} (there are {content.Text.Length})");
    }

    /// <summary>The token's entry in the vocabulary.</summary>
    public Token ToToken() => new(Content, Encoding.UTF8.GetBytes(Content), IsSpecial);
}
