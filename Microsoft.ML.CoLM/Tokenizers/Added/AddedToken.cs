using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>A token that is recognised in the text as it stands, before the text is cut into words.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Content">Its characters.</param>
/// <param name="IsSpecial">Whether it marks something (a document's beginning) rather than being text.</param>
internal readonly record struct AddedToken(int Id, string Content, bool IsSpecial)
{
    /// <summary>Texts are searched for each of them; names of special tokens have some 30 characters.</summary>
    public const int MostCharacters = 1024;

    /// <summary>Whether white space before it belongs to it.</summary>
    public bool StripsBefore { get; init; }

    /// <summary>Whether white space behind it belongs to it.</summary>
    public bool StripsBehind { get; init; }

    /// <summary>Whether it counts only where neither a letter nor a digit is next to it.</summary>
    public bool IsWord { get; init; }

    /// <summary>Whether it is looked for in the normalized text rather than in the text as given.</summary>
    public bool IsNormalized { get; init; }

    /// <summary>Reads an added token as <c>tokenizer.json</c> and <c>tokenizer_config.json</c> describe it.</summary>
    /// <param name="description">The object that describes it.</param>
    /// <param name="id">Its id, where it has one already.</param>
    /// <exception cref="InvalidDataException">It has no characters, far too many, or an option that is none.</exception>
    public static AddedToken Read(JsonField description, int id)
    {
        JsonField content = description["content"];
        if (content.Text.Length is < 1 or > MostCharacters)
            throw content.Refuse($"at least one character and at most {MostCharacters} (there are {content.Text.Length})");
        bool isSpecial = description["special"].Flag(defaultValue: false);
        return new(id, content.Text, isSpecial)
        {
            StripsBefore = description["lstrip"].Flag(defaultValue: false),
            StripsBehind = description["rstrip"].Flag(defaultValue: false),
            IsWord = description["single_word"].Flag(defaultValue: false),
            IsNormalized = description["normalized"].Flag(defaultValue: !isSpecial),
        };
    }
}
