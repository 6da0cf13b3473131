using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Tokenizers;

[TestClass, DoNotParallelize]
public sealed class RecordedPatternTests
{
    private const char Border = '\uE000';

    // Random patterns, and what tokenizers 0.23.1 (Oniguruma 6.9.10) makes of random texts with them.
    private static readonly (string Pattern, SplitBehavior Behavior, bool Invert, string Text, string Words)[] Records =
    [
        ("\\p{P}{1,}(?:\\P{L}{1,2}+)\\D{2}?|^", SplitBehavior.MergedWithNext, false, "\u0E01\u00A0Bs\u200D\u000A\u000D", "\u0E01\u00A0Bs\u200D\u000A\uE000\u000D"),
        ("\\p{Alpha}(?:\u017F\u00E9\\p{Lu}*+)+?|(?>\\p{M})", SplitBehavior.MergedWithNext, false, "\u0639 B\u0661\u4E2Db\u00E9 \U0001F3FDKze\u0301", "\u0639 B\u0661\u4E2Db\u00E9 \U0001F3FDKze\uE000\u0301"),
        ("\\r[[:digit:]|\\w]A|(?!\\d{1,})\\.\\p{Alpha}?+", SplitBehavior.Isolated, true, "S.\u200D!\u000Ai", "S\uE000.\uE000\u200D!\u000Ai"),
        ("$|\\b\\h?", SplitBehavior.Isolated, false, "yb\u0085!", "yb\uE000\u0085!"),
        ("\\D{2}$|(?i:\\p{Lu}){1,2}^\\r{1,2}+", SplitBehavior.Isolated, false, "\U0001F3FD\u000A\u0009", "\U0001F3FD\uE000\u000A\u0009"),
        ("\\p{Ll}|\u017F{1,2}+\\P{L}+?{2}+", SplitBehavior.MergedWithNext, true, "\u0009\u0E33s\uFFFD\u4E2DI1", "\u0009\u0E33s\uE000\uFFFD\u4E2DI1"),
        ("\\W?+", SplitBehavior.Removed, false, "1z.-1\u017F\u0661 \U0001F3FD", "1\uE000z\uE0001\uE000\u017F\uE000\u0661"),
        ("[^\\p{Han}[:^space:]][\\D\U0001F600&&[\U0001F600]]*?\\p{^Lu}", SplitBehavior.Isolated, false, "\u00B2\u0085-\u0639\u00B2\u2160b e\u0301\u0345", "\u00B2\uE000\u0085-\uE000\u0639\u00B2\u2160b\uE000 e\uE000\u0301\u0345"),
        ("\\x{1f600}\\R{,2}\\n{2}|s{2,1}.\\z|\\r{1,2}+\\.??", SplitBehavior.Isolated, false, "z\u000D\u0085\u00DFy\uD55C\u017F\U0001D400\U0001D400-\u4E2D\u0661\u30A2", "z\uE000\u000D\uE000\u0085\u00DFy\uD55C\u017F\U0001D400\U0001D400-\u4E2D\u0661\u30A2"),
        ("\\w(?>\\p{L}\\Z|\\b\\n[]\\p{M}|]?+)", SplitBehavior.Isolated, false, ".\u200De\u0301\u00A00\u4E2D1a\u000D\u000AB\u00AA", ".\u200De\u0301\u00A00\u4E2D1a\u000D\u000A\uE000B\u00AA"),
        ("[\\p{Lu}\U0001F600a-\\x{ff}][^&[.]\\x{10000}-\\x{2ffff}]", SplitBehavior.Isolated, false, "I1\u0009\u00A0e\u0301\u03C3\u03A3", "I1\uE000\u0009\uE000\u00A0e\uE000\u0301\u03C3\u03A3"),
        ("\\u00e9|[[:alpha:]\\p{^Lu}\\s]\\r++]??", SplitBehavior.MergedWithNext, false, "y\u000A\u000D\u0009\u000A\u2160b\u0639Sb", "y\uE000\u000A\u000D\u0009\u000A\u2160b\u0639Sb"),
        ("[\\p{L}](?:\\n++|\u03C3)|a\\p{Lu}", SplitBehavior.MergedWithNext, true, "\U0001F600\u000A\U00020000aB\u000A\u01C5Kyi", "\U0001F600\u000A\U00020000aB\uE000\u000A\u01C5Kyi"),
        ("\U0001F600|\\h|$()[[-\u03C3[1-]]&&\\p{^Lu}]++?", SplitBehavior.Isolated, false, "a\u017Fa\u03C3\u01C5\u03A3a_\U0001F3FD\u2160\u00A0\u0085\u00DF", "a\uE000\u017F\uE000a\uE000\u03C3\u01C5\u03A3\uE000a\uE000_\U0001F3FD\u2160\u00A0\u0085\u00DF"),
        ("'|\\x{4e2d}{2}?\\p{Lu}\\u00e9*+(?:\\r{1,2}+)??", SplitBehavior.Isolated, false, "\u00E9\U0001F3FD\u2160\U0001D400z!\u212A \u0E33\uD55Ci\uD55C", "\u00E9\U0001F3FD\u2160\uE000\U0001D400\uE000z!\uE000\u212A\uE000 \u0E33\uD55Ci\uD55C"),
        ("(?:\\A|(?<=\\n)) *", SplitBehavior.Isolated, false, "\u03C31 \u000A_kAI\u0085'S\u03C2\uD55Ci\U0001D400\u00E9", "\u03C31 \u000A\uE000_kAI\u0085'S\u03C2\uD55Ci\U0001D400\u00E9"),
        ("(?:(?=\\p{M}|)\\B[\\p{^Lu}*&&[^ ]])", SplitBehavior.Removed, false, "x\u0130x\u000D\u000A.\u0345\u01C5", "x\u0130\uE000\u000D\uE000\u0345"),
        ("\\p{Alpha}?+\\p{L}", SplitBehavior.Isolated, false, "\u00E9\u00AAB\u0009\u30A2", "\u00E9\u00AA\uE000B\u0009\u30A2"),
        ("[^[:cntrl:][:^space:]]", SplitBehavior.Isolated, false, "\u0009\u00E9\u2028\U0001D400\u0085", "\u0009\u00E9\uE000\u2028\uE000\U0001D400\u0085"),
        ("\\p{L}{1,}\\p{Ll}|\\p{S}\\x{1f600}^|\\x61{1,2}+(?:$)", SplitBehavior.Isolated, false, "\u0E01Ak\u00E9\u0345\uFFFDkKb\u000D\u000A\u0085-1", "\u0E01Ak\u00E9\uE000\u0345\uFFFD\uE000kKb\uE000\u000D\u000A\u0085-1"),
        ("[^[:^alnum:]a-\\x{ff}K-\u017F]|(?=\\R||\\p{S}}{2}?)\\x61", SplitBehavior.Isolated, false, "\u0661\U0001F600S\u00DF", "\u0661\uE000\U0001F600S\u00DF"),
        ("[^]\\p{Ll}]{1,2}+|(?=(?:|)|\\n+?)", SplitBehavior.Removed, true, "\u30A2\u00E9K1s\u0085", "\u30A2\uE000K1\uE000\u0085"),
        ("[^0-9[&\\u0e00-\\u0e7f']a-\\x{ff}-][-a-z[[^s]]\\w]", SplitBehavior.MergedWithNext, false, "\u0085\u212A0\u03A3\u000A", "\u0085\uE000\u212A0\uE000\u03A3\u000A"),
        ("\\r*+a(?i:{|\\w)|[-a-z\\w]", SplitBehavior.MergedWithNext, false, "y\u000D\u000A\u2028\u4E2De\u0301A\u00A0\u0345\u01C5y", "y\u000D\u000A\u2028\uE000\u4E2D\uE000e\uE000\u0301\uE000A\u00A0\uE000\u0345\uE000\u01C5\uE000y"),
        ("(?:|\\x61[[^&\\p{Han}\\b]-&&[\\[]]{0,2}?)\\R++", SplitBehavior.Contiguous, false, "x\u0661\u0085-\U0001F3FDe\u0301\U0001D400\u00E9", "x\u0661\uE000\u0085\uE000-\U0001F3FDe\u0301\U0001D400\u00E9"),
        ("\\B", SplitBehavior.Isolated, true, "\U0001F600\u200D\u200Be\u0301a\u03A3i\u200B\u212Ax'\u03C2i", "\U0001F600\uE000\u200D\uE000\u200Be\uE000\u0301\uE000a\uE000\u03A3\uE000i\u200B\u212A\uE000x'\u03C2\uE000i"),
        ("\\b", SplitBehavior.Isolated, false, "1\u00B2k\u00B2.\u0E33\U00020000\u200D", "1\u00B2k\u00B2\uE000.\uE000\u0E33\U00020000\uE000\u200D"),
        ("\\p{^Lu}.", SplitBehavior.Isolated, true, "\U0001D400.'ki\u2028\u000A\u00B2\u03C2\u200B\u00AA\u0639", "\U0001D400\uE000.'\uE000ki\uE000\u2028\uE000\u000A\u00B2\uE000\u03C2\u200B\uE000\u00AA\u0639"),
        ("\\b\\p{S}?(?i:|k|\\P{L}+){0,2}?", SplitBehavior.Isolated, false, "\u0009\U00020000\u0661\u2160\u3042\u0009\u01C5x\u0E01AI", "\u0009\uE000\U00020000\u0661\u2160\u3042\uE000\u0009\uE000\u01C5x\u0E01AI"),
        ("\\B\\p{S}++", SplitBehavior.Isolated, false, "\uFFFD\u0661i", "\uFFFD\uE000\u0661i"),
        ("\\s{1,2}|[-k\\b](\\n|\\u00e9|,(?:\u017F|\u00E9))", SplitBehavior.Isolated, false, "\u03C2\u0009-\u00A0-a\uD55C\u000D\u000A\U00020000\u00DF", "\u03C2\uE000\u0009\uE000-\uE000\u00A0\uE000-a\uD55C\uE000\u000D\u000A\uE000\U00020000\u00DF"),
        ("\\R{1,2}+\\O|\u4E2D{2}+[^K-\u017F\\D\\p{Lu}-](?i:){1,2}+", SplitBehavior.Isolated, false, "\u00DF\u0639\u0085\u00AA\uD55C", "\u00DF\u0639\uE000\u0085\u00AA\uE000\uD55C"),
        ("\\n|\\P{L}?+", SplitBehavior.Contiguous, false, "!\u00A0_\u4E2D1\uFFFD\u2028", "!\u00A0_\uE000\u4E2D\uE0001\uFFFD\u2028"),
        ("[][[:cntrl:]a](A-Z]|K,\\A", SplitBehavior.Contiguous, false, "\u017F\u000A!Kba\u00AA-\u0345\u0E01e\u0301A", "\u017F\uE000\u000A\uE000!\uE000K\uE000b\uE000a\uE000\u00AA-\u0345\u0E01e\u0301\uE000A"),
        ("\\B\\n|\\R\\N", SplitBehavior.Isolated, false, "!\u00B2ye\u0301\U0001F600\u2028Ax\u0639\u00A0\u30A2\u00B2\u0130", "!\u00B2ye\u0301\U0001F600\uE000\u2028A\uE000x\u0639\u00A0\u30A2\u00B2\u0130"),
        ("(?<=)\\x61", SplitBehavior.MergedWithPrevious, false, "b\u0E33ya\u01C5\u00E9\u0130\uFFFDB\uD55C", "b\u0E33ya\uE000\u01C5\u00E9\u0130\uFFFDB\uD55C"),
        ("[\\s]\\S\\B|\\r+[^-\\w]| {,2}\\x{4e2d}", SplitBehavior.Isolated, false, "\u00A0KyB \u000D\u2028\u212A", "\u00A0K\uE000yB \uE000\u000D\u2028\uE000\u212A"),
        ("[^&\\p{P}K-\u017F]\\p{Word}|_", SplitBehavior.Isolated, false, "\u212A\u0E33b\u3042\u03C3", "\u212A\u0E33\uE000b\uE000\u3042\u03C3"),
        ("(?:}+|\\x{4e2d})|\\R|a\u017F\\t.{2}+", SplitBehavior.Isolated, false, "S\u03A3\u2028\u0661\u01C5", "S\u03A3\uE000\u2028\uE000\u0661\u01C5"),
        ("\\W[^.\\x{10000}-\\x{2ffff}]", SplitBehavior.Removed, true, "s\u00B2\u200B\u30A2\u0085kS", "\u200B\u30A2\uE000\u0085k"),
        (".\\b", SplitBehavior.Removed, false, " .A\u0E33'\uD55C\u03C3e\u03010\U0001F600\u200Bi\u0345", " \uE000A\uE000\uD55C\u03C3e\u0301\uE000\U0001F600\uE000i"),
        ("\\x61+?\u017Fb|\\W??(?>)??\\R|(?!\\n|\\S\\O|\\s(?=\\Z))", SplitBehavior.Isolated, true, "\u03451b\u000A\U0001D400B\u212A", "\u03451b\uE000\u000A\uE000\U0001D400B\uE000\u212A"),
        ("b{,2}\\S|]{2}?", SplitBehavior.Contiguous, false, "-\u00A0\u00DF\u00DF-", "-\uE000\u00A0\uE000\u00DF\u00DF-"),
        ("(?!(\u017F|b{1,})|x{1,}[^\\WK-\u017F\\x{4e00}-\\x{9fff}]|})\u4E2D+?", SplitBehavior.MergedWithPrevious, false, " \u000Ay1\u4E2D\U00020000a\u0E33K\u0009\u2028BI", " \u000Ay1\u4E2D\uE000\U00020000a\u0E33K\u0009\u2028BI"),
        ("[-A-Z[^'.K-\u017F]1]{1,2}+", SplitBehavior.Contiguous, false, "\u2160b\u200DIb\u000Dyb\u0130\U00020000\u00A0'", "\u2160\uE000b\uE000\u200DI\uE000b\uE000\u000D\uE000yb\u0130\uE000\U00020000\uE000\u00A0'"),
        ("(?=\\B((?!|])|[\u03C3]\\x{4e2d}){0})", SplitBehavior.Isolated, true, "\u0345\u00B2\u200D\u0661\u3042\U00020000\u200B \U0001F3FDS\uFFFDk", "\u0345\uE000\u00B2\u200D\u0661\uE000\u3042\uE000\U00020000\u200B\uE000 \uE000\U0001F3FDS\uFFFDk"),
        ("([^[:ascii:]\\p{N}])", SplitBehavior.Contiguous, false, "B_a\u00DFs\u0345!i", "B_a\uE000\u00DF\uE000s\uE000\u0345\uE000!i"),
        (",{2}?{1,}\\O{2}?|\u00E9", SplitBehavior.MergedWithPrevious, false, "\u017FB'\u000A\U00020000", "\u017FB\uE000'\u000A\uE000\U00020000"),
        ("\\p{P}|[^\\Da-zb]}\U0001F600[^\\p{S}\\p{Alpha}[\\p{S}]]", SplitBehavior.Isolated, false, "\u2160\u212A\u0E01\U0001D400\u2028S\U0001F600\U0001F600\U0001D400\u0130!\U0001F3FD", "\u2160\u212A\u0E01\U0001D400\u2028S\U0001F600\U0001F600\U0001D400\u0130\uE000!\uE000\U0001F3FD"),
        ("\\z\\r(?:(?:k?+){1,2}+\\p{L}){2}|(?:){,2}\\H{1,}|\\s", SplitBehavior.Removed, false, "\u0085y\u0130\u00AAa\u0130b\u00E9!0z\U00020000\U0001D400", "a\uE000b\uE0000"),
        ("(\\s{0}|)\u00E9{0,2}?\\p{Ll}|$", SplitBehavior.Isolated, false, "-\u0E01\u000A\U0001F600.", "-\u0E01\uE000\u000A\U0001F600."),
        ("$|$|sx*\\B(?:)", SplitBehavior.Isolated, false, "-Iiz\u0345k\u0085\u2028a\u0130\u01C5\u01C5\u000D\u000A", "-Iiz\u0345k\u0085\u2028a\u0130\u01C5\u01C5\u000D\uE000\u000A"),
        ("A+\\p{L}|\\p{Word}A|(?>|0{1,}|)++(?:)?+++\u03C3{2,1}0?", SplitBehavior.Removed, false, "\u0E01 \u03C3sa-\u30A2\u212A\u0639", "\u0E01 \uE000sa-\u30A2\u212A\u0639"),
        ("(?:\\p{Alpha}|\\w{2}|\\t+[^[:^punct:]\U0001F600[\\H\\\\]])K?A|$.{2}?", SplitBehavior.Isolated, true, "zS\U0001F600\u000D\u200BB-\u00A0\u000D\u000Ae\u0301\uFFFD\u03C3", "zS\U0001F600\u000D\u200BB-\u00A0\u000D\uE000\u000Ae\u0301\uFFFD\u03C3"),
        ("-|\\B(?>|)[^&[^]\\H][a\\p{Alpha}]k]", SplitBehavior.Contiguous, true, " \u000A\u03C2.\U0001D400 e\u0301\u000As\u0661\U0001F3FD\u2028", " \u000A\uE000\u03C2.\U0001D400 e\uE000\u0301\uE000\u000As\uE000\u0661\uE000\U0001F3FD\uE000\u2028"),
        ("\u4E2D[ ]*+(?:,{2}+|\\p{M}?){1,}[[:^cntrl:]]", SplitBehavior.Isolated, false, "e\u0301B\U0001F3FD\U0001F3FD\u4E2D\u0E33\uFFFD\u0661\u01C5", "e\u0301B\U0001F3FD\U0001F3FD\uE000\u4E2D\u0E33\uE000\uFFFD\u0661\u01C5"),
        ("\\p{Han}{2,1}\\N\\R{2}?", SplitBehavior.Removed, false, "B\U0001F600i\U00020000\U0001F3FD\uD55C", "B\U0001F600i\uE000\uD55C"),
        ("(?![^\u3041-\u3093-]|})", SplitBehavior.Isolated, true, "\u03C3\u0345\u3042!\u00850\u0E33\u00E9", "\u03C3\u0345\uE000\u3042!\u00850\u0E33\u00E9"),
        ("\\D[\\[\\]\\p{N}]?+\\z|\\W", SplitBehavior.Removed, false, "\u3042\u212Ae\u0301\u03A3-kx", "\u3042\u212Ae\u0301\u03A3\uE000k"),
        ("[^\\p{P}*]{1,2}", SplitBehavior.Isolated, false, "S\u00E9\u00E9\u212A\u0E33\u00B2\u00A0\u017Fk\u200B-A", "S\u00E9\uE000\u00E9\u212A\uE000\u0E33\u00B2\uE000\u00A0\u017F\uE000k\u200B\uE000-\uE000A"),
        ("(?:\\p{Alpha}|\\P{L}')(?i:k|[]\u00E9\\p{N}[&0-9\u3041-\u3093]-]??)", SplitBehavior.Removed, true, "\u00A0\u000AbK\U0001F3FDa", "bK\uE000a"),
        ("\u017F|\\b", SplitBehavior.Isolated, false, "\u017F\u0E33s", "\u017F\uE000\u0E33s"),
        ("\\x61{0,2}?\\x61|\\p{P}{2}+\\x{1f600}\\n{1,2}+{0,2}?\\x61{,2}|[\u4E2D]", SplitBehavior.Isolated, false, "Bx\u0E33\u00E9A\u2160\u0345baa", "Bx\u0E33\u00E9A\u2160\u0345b\uE000a\uE000a"),
        ("s+\u03C3?+\\.*?\\H{0}|\\p{L}{2,1}-{,2}|(?<=\\p{Lu}\\p{Han}+|\\b\u4E2D|)\\b", SplitBehavior.Isolated, true, "\U00020000aIs\u0130Ik", "\U00020000a\uE000Is\uE000\u0130I\uE000k"),
        ("\\w+|[^\\w\\s]+", SplitBehavior.Isolated, false, "\u2028sK.yB\u0130s\u000D\u000A1\U0001D400", "\u2028\uE000sK\uE000.\uE000yB\u0130s\uE000\u000D\u000A\uE0001\U0001D400"),
        ("[^'\\x{10000}-\\x{2ffff}]*|(?=\\W|(?>\\z\\p{L}))\\R?", SplitBehavior.Contiguous, false, "\uFFFDs\u000D\u000A1's1", "\uFFFDs\u000D\u000A1\uE000'\uE000s1"),
        ("\\d\\x{4e2d}{0}|[&A[\\P{L}][:alpha:]]{,2}|[\u4E2D&&\\p{S}]+", SplitBehavior.Isolated, false, "\u000D\u000AA\u03C3\u03C3_\u30A2bx\u212A_\u00DF", "\u000D\u000A\uE000A\u03C3\uE000\u03C3_\uE000\u30A2b\uE000x\u212A\uE000_\u00DF"),
        ("[\\x{10000}-\\x{2ffff}*[:^alnum:]]*\\p{Ll}", SplitBehavior.Isolated, false, ".e\u0301K-\u200B\u200B_\u200DS\u0130\uFFFD", ".e\uE000\u0301K-\u200B\u200B_\u200DS\u0130\uFFFD"),
        ("\\p{P}{2}?[[\\^]\u00E9-]++[\\p{^Lu}]\\x{1f600}??|\\p{P}", SplitBehavior.Isolated, false, "S\u0661\u0E33\u00B2\u0661\u0130\u212A\u03A3.", "S\u0661\u0E33\u00B2\u0661\u0130\u212A\u03A3\uE000."),
    ];

    [TestMethod]
    public void RandomPatternsCutWhereOnigurumaCuts()
    {
        foreach ((string pattern, SplitBehavior behavior, bool invert, string text, string words) in Records)
        {
            var splitter = new PatternSplitter(TextPattern.Parse(pattern), behavior, invert);
            List<Word> cut = splitter.Cut([new(text.AsMemory(), StartsDocument: true)], null);
            Assert.AreEqual(words, string.Join(Border, cut.Select(word => word.Text)), pattern);
        }
    }
}
