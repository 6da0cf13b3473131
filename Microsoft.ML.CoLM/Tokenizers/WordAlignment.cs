namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Says which characters of a text the characters of its words are: steps that cut text put spaces in front, write spaces
/// otherwise, and leave characters out, and no more.
/// </summary>
internal static class WordAlignment
{
    /// <summary>For each word, the place of each of its characters; what was put in has an empty one.</summary>
    public static List<(int Start, int End)[]> Of(string text, List<Word> words)
    {
        List<(int Start, int End)[]> places = [];
        HashSet<char> missing = [];
        var position = 0;
        // A space in front of a text that begins with one could be either.
        bool isPrefixed = words.Sum(word => (long)word.Text.Length) == text.Length + 1L && IsSpace(words[0].Text.Span[0]);
        foreach (Word word in words)
        {
            ReadOnlySpan<char> characters = word.Text.Span;
            var found = new (int Start, int End)[characters.Length];
            for (var i = 0; i < characters.Length; i++)
            {
                int place = isPrefixed ? -1 : Find(characters[i]);
                isPrefixed = false;
                position = Math.Max(position, place);
                found[i] = (position, place < 0 ? position : ++position);
            }
            places.Add(found);
        }
        return places;

        int Find(char character)
        {
            if (position < text.Length &&
                (text[position] == character || (IsSpace(character) && IsSpace(text[position]))))
            {
                return position;
            }
            if (IsSpace(character) || missing.Contains(character))
                return -1;
            int index = text.IndexOf(character, position);
            if (index < 0)
                missing.Add(character);
            return index;
        }
    }

    private static bool IsSpace(char character) => character is ' ' or CharacterEncoder.Space;
}
