using System.Text.RegularExpressions;
namespace Microsoft.ML.CoLM.Tokenizers;
internal static class NormalizerJson { public static ITextNormalizer? Read(JsonField f) => f.IsMissing || (f.IsOfType("Sequence") && f["normalizers"].Items.Count == 0) ? null : throw f.Refuse("null"); }
internal static class PreTokenizerJson {
    private sealed class S(WordPattern p) : IPreTokenizer { public List<Word> Cut(List<Word> w, Action? c) => [.. w.SelectMany(x => p.Split(x.Text.Span, c).Select(y => new Word(x.Text[y.Start..y.End], false)))]; }
    private sealed class M(string scheme) : IPreTokenizer { public List<Word> Cut(List<Word> w, Action? c) => [.. w.Select(x => { var t = x.Text.ToString().Replace(' ', '▁'); if (t[0] != '▁' && (scheme == "always" || (scheme == "first" && x.StartsDocument))) t = "▁" + t; return new Word(t.AsMemory(), x.StartsDocument); })]; }
    public static PreTokenization Read(JsonField f) {
        if (f.IsMissing) return new([], false);
        if (f.IsOfType("Metaspace")) return new([new M(f["prepend_scheme"].Text)], false);
        var steps = f.IsOfType("Sequence") ? f["pretokenizers"].Items : [f];
        List<Regex> r = [];
        foreach (var s in steps.SkipLast(1)) r.Add(WordPattern.Compile(s.IsOfType("Digits") ? @"\p{N}" : s["pattern"]["Regex"].Text));
        steps[^1]["type"].RequireText("ByteLevel");
        if (steps[^1]["use_regex"].Flag(true)) r.Add(WordPattern.Compile(WordPattern.Gpt2));
        return new([new S(new([.. r]))], true);
    }
}
