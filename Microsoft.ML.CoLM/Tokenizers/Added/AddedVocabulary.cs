namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Collects the tokens that are added to a model's vocabulary, from several files, and gives ids to those that have none: the
/// rules are those of Hugging Face's tokenizers.
/// </summary>
/// <param name="vocabulary">The model's own tokens and their ids.</param>
internal sealed class AddedVocabulary(IReadOnlyDictionary<string, int> vocabulary)
{
    private readonly HashSet<int> _ids = [.. vocabulary.Values];
    private readonly Dictionary<string, AddedToken> _added = [];
    private readonly HashSet<string> _special = [];
    private int _highest = -1;

    /// <summary>The added tokens, in the order in which they came.</summary>
    public IReadOnlyCollection<AddedToken> Tokens =>
        [.. _added.Values.Select(token => token with { IsSpecial = _special.Contains(token.Content) })];

    /// <summary>Whether a token of these characters was added, be it one of the model's own.</summary>
    public bool Contains(string content) => _added.ContainsKey(content);

    /// <summary>Whether a token was added that is the same in everything but its id.</summary>
    public bool ContainsAlike(AddedToken token) =>
        _added.TryGetValue(token.Content, out AddedToken known) && known with { Id = token.Id } == token;

    /// <summary>The id of a token, added or the model's own.</summary>
    public bool TryGetId(string content, out int id)
    {
        bool isAdded = _added.TryGetValue(content, out AddedToken token);
        id = token.Id;
        return isAdded || vocabulary.TryGetValue(content, out id);
    }

    /// <summary>
    /// Adds a token. One that is there already keeps its id and takes the new one's options; once special, it stays special.
    /// </summary>
    /// <param name="token">The token.</param>
    /// <param name="id">The id of a token that is new; null for the next free one.</param>
    public void Add(AddedToken token, int? id = null)
    {
        if (token.IsSpecial)
            _special.Add(token.Content);
        int given = TryGetId(token.Content, out int known) ? known : id ?? NextId();
        _ids.Add(given);
        _highest = Math.Max(_highest, given);
        _added[token.Content] = token with { Id = given };
    }

    /// <summary>Makes a token special if it was added.</summary>
    public void MarkSpecial(string content)
    {
        if (Contains(content))
            _special.Add(content);
    }

    /// <summary>The id that the next new token gets.</summary>
    public int NextId()
    {
        int next = Math.Max(_highest + 1, vocabulary.Count);
        while (_ids.Contains(next))
            next++;
        return next;
    }
}
