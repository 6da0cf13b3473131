using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tokenizers;

namespace Benchmarks;

/// <summary>
/// The files of a byte-level BPE like LLaMA 3's, of any number of pieces: bytes, those that begin and end a text, and then
/// merges of letters to pairs and triples, with a space before them, and at last to four letters.
/// </summary>
internal static class BytePairFiles
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyz";

    // LLaMA 3's words.
    private const string Words = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" +
        @"\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <param name="pieces">How many token ids there are.</param>
    /// <exception cref="ArgumentException">There are fewer than the bytes need, or more than there are merges for.</exception>
    public static TokenizerFiles Create(int pieces)
    {
        var bytes = ByteTokenizer.CreateFiles().Files;
        (string Left, string Right)[] merges = [.. Merges().Take(Math.Max(0, pieces - ByteTokenizer.VocabularySize))];
        if (ByteTokenizer.VocabularySize + merges.Length != pieces)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"A made tokenizer has from {ByteTokenizer.VocabularySize} to {ByteTokenizer.VocabularySize + Merges().Count()} pieces, not {pieces}."));
        }
        return new([.. bytes.Select(file =>
            file.Key == TokenizerFiles.JsonName ? KeyValuePair.Create(file.Key, WithMerges(file.Value, merges)) : file)]);
    }

    private static byte[] WithMerges(byte[] bytesAlone, (string Left, string Right)[] merges)
    {
        var root = JsonNode.Parse(bytesAlone)!;
        var model = root["model"]!;
        var (vocabulary, list) = (model["vocab"]!, model["merges"]!.AsArray());
        for (var i = 0; i < merges.Length; i++)
        {
            vocabulary[merges[i].Left + merges[i].Right] = ByteTokenizer.VocabularySize + i;
            list.Add((JsonNode)new JsonArray(merges[i].Left, merges[i].Right));
        }
        var byteLevel = root["pre_tokenizer"]!.DeepClone();
        root["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject { ["Regex"] = Words },
                    ["behavior"] = "Isolated",
                    ["invert"] = false,
                },
                byteLevel),
        };
        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    // Each gives another piece, of two that came before it.
    private static IEnumerable<(string Left, string Right)> Merges()
    {
        var space = ByteAlphabet.Symbol((byte)' ').ToString();
        string[] letters = [.. Letters.Select(letter => letter.ToString())];
        string[] pairs = [.. Joined(letters, letters)];
        string[] triples = [.. Joined(pairs, letters)];
        return
        [
            .. Crossed(letters, letters), .. Crossed([space], letters), .. Crossed(pairs, letters), .. Crossed([space], pairs),
            .. Crossed([space], triples), .. Crossed(pairs, pairs),
        ];
    }

    private static IEnumerable<(string Left, string Right)> Crossed(string[] left, string[] right) =>
        left.SelectMany(_ => right, (first, second) => (first, second));

    private static IEnumerable<string> Joined(string[] left, string[] right) =>
        Crossed(left, right).Select(pair => pair.Left + pair.Right);
}
