using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A token that is recognised in the text as it stands, before anything else is done to the text.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">Its characters, at least one.</param>
/// <param name="IsSpecial">Whether it marks something (a document's beginning) rather than being text.</param>
internal readonly record struct AddedToken(int Id, string Content, bool IsSpecial)
{
    /// <summary>Reads an added token as <c>tokenizer.json</c> and <c>tokenizer_config.json</c> describe it.</summary>
    /// <exception cref="InvalidDataException">It has an option that is not supported.</exception>
    public static AddedToken Read(JsonField description, int id)
    {
        foreach (string option in (string[])["single_word", "lstrip", "rstrip"])
            description[option].RequireFlag(false, defaultValue: false);
        JsonField content = description["content"];
        return content.Text.Length > 0
            ? new(id, content.Text, description["special"].Flag(defaultValue: false))
            : throw content.Refuse("at least one character");
    }

    /// <summary>The token's entry in the vocabulary.</summary>
    public Token ToToken() => new(Content, Encoding.UTF8.GetBytes(Content), IsSpecial);
}
