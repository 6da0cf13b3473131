using System.Collections.Concurrent;
using System.Globalization;
using static System.Globalization.UnicodeCategory;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The sets of characters that Oniguruma's expressions name: <c>\w</c>, <c>[:alpha:]</c>, <c>\p{Han}</c>.</summary>
internal static class UnicodeProperties
{
    // Letters in the order of the enumeration.
    private const string CategoryNames =
        "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Zs Zl Zp Cc Cf Cs Co Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Cn";

    private static readonly Dictionary<string, string> LongNames = new()
    {
        ["letter"] = "l",
        ["casedletter"] = "lc",
        ["uppercaseletter"] = "lu",
        ["lowercaseletter"] = "ll",
        ["titlecaseletter"] = "lt",
        ["modifierletter"] = "lm",
        ["otherletter"] = "lo",
        ["mark"] = "m",
        ["combiningmark"] = "m",
        ["nonspacingmark"] = "mn",
        ["spacingmark"] = "mc",
        ["enclosingmark"] = "me",
        ["number"] = "n",
        ["decimalnumber"] = "nd",
        ["letternumber"] = "nl",
        ["othernumber"] = "no",
        ["separator"] = "z",
        ["spaceseparator"] = "zs",
        ["lineseparator"] = "zl",
        ["paragraphseparator"] = "zp",
        ["other"] = "c",
        ["control"] = "cc",
        ["format"] = "cf",
        ["surrogate"] = "cs",
        ["privateuse"] = "co",
        ["unassigned"] = "cn",
        ["punctuation"] = "p",
        ["punct"] = "p",
        ["connectorpunctuation"] = "pc",
        ["dashpunctuation"] = "pd",
        ["openpunctuation"] = "ps",
        ["closepunctuation"] = "pe",
        ["initialpunctuation"] = "pi",
        ["finalpunctuation"] = "pf",
        ["otherpunctuation"] = "po",
        ["symbol"] = "s",
        ["mathsymbol"] = "sm",
        ["currencysymbol"] = "sc",
        ["modifiersymbol"] = "sk",
        ["othersymbol"] = "so",
        ["whitespace"] = "space",
        ["digit"] = "nd",
        ["cntrl"] = "cc",
    };

    private static readonly ConcurrentDictionary<string, CodePointSet?> Sets = new();

    /// <summary><c>\w</c> outside brackets, and the characters on whose border <c>\b</c> is.</summary>
    public static CodePointSet Word => Sets.GetOrAdd("\\w", _ =>
        // Outside brackets, Oniguruma also counts Latin-1's superscripts and fractions.
        Named("word").Or(CodePointSet.Of("\u00B2\u00B3\u00B9\u00BC\u00BD\u00BE")))!;

    /// <summary><c>\s</c>.</summary>
    public static CodePointSet Space => Named("space");

    /// <summary><c>\d</c>.</summary>
    public static CodePointSet Digit => Named("nd");

    /// <summary><c>\h</c>.</summary>
    public static CodePointSet HexadecimalDigit => Named("xdigit");

    /// <summary>What Hugging Face's tokenizers take for punctuation.</summary>
    public static CodePointSet Punctuation => Sets.GetOrAdd("~punctuation", _ =>
        Named("p").And(Table("~newpunctuation").Not()).Or(Table("~oldpunctuation")).Or(CodePointSet.Of("$+<=>^`|~")))!;

    /// <summary>What Hugging Face's tokenizers take for combining marks.</summary>
    public static CodePointSet Marks => Sets.GetOrAdd("~marks", _ =>
        Named("m").And(Table("~newmarks").Not()).Or(Table("~oldmarks")))!;

    /// <summary>The set of a property, which must be one of this file's or <see cref="UnicodeTables"/>.</summary>
    public static CodePointSet Named(string name) =>
        Find(name) ?? throw new ArgumentException($"\"{name}\" is no property.", nameof(name));

    /// <summary>The set that <c>\p{name}</c> stands for, or null.</summary>
    /// <param name="name">The name; case, spaces, hyphens and underscores do not matter.</param>
    public static CodePointSet? Find(string name)
    {
        string plain = string.Concat(name.Where(character => character is not (' ' or '-' or '_'))).ToLowerInvariant();
        string known = LongNames.GetValueOrDefault(plain, plain);
        // Names come from files: only those of properties are remembered.
        if (Sets.TryGetValue(known, out CodePointSet? set))
            return set;
        set = Create(known);
        return set is null ? null : Sets.GetOrAdd(known, set);
    }

    /// <summary>The set that <c>[:name:]</c> stands for, or null.</summary>
    public static CodePointSet? FindPosix(string name) => name switch
    {
        "punct" => Find("posixpunct"),
        "alnum" or "alpha" or "ascii" or "blank" or "cntrl" or "digit" or "graph" or "lower" or "print" or "space" or "upper"
            or "word" or "xdigit" => Find(name),
        _ => null,
    };

    private static CodePointSet? Create(string name) => name switch
    {
        "any" => CodePointSet.All,
        "assigned" => Named("cn").Not(),
        "ascii" => CodePointSet.Range(0, 0x7F),
        "lc" => OfCategories(category => category is UppercaseLetter or LowercaseLetter or TitlecaseLetter),
        "alnum" => Named("alpha").Or(Named("nd")),
        "blank" => Named("zs").Or(CodePointSet.Of("\t")),
        "space" => Named("z").Or(CodePointSet.Of("\t\n\v\f\r\u0085")),
        "graph" => Named("space").Or(Named("cc")).Or(Named("cn")).Or(Named("cs")).Not(),
        "print" => Named("graph").Or(Named("zs")),
        "word" => Named("alpha").Or(Named("m")).Or(Named("nd")).Or(Named("pc")),
        "xdigit" => CodePointSet.Of("0123456789abcdefABCDEF"),
        "posixpunct" => Named("p").Or(Named("s")),
        _ => CreateCategory(name) ?? (name.All(char.IsAsciiLetter) ? UnicodeTables.Properties.GetValueOrDefault(name) : null),
    };

    private static CodePointSet? CreateCategory(string name)
    {
        string[] names = CategoryNames.ToLowerInvariant().Split(' ');
        return name.Length is 1 or 2 && names.Any(category => category.StartsWith(name, StringComparison.Ordinal))
            ? OfCategories(category => names[(int)category].StartsWith(name, StringComparison.Ordinal))
            : null;
    }

    private static CodePointSet Table(string name) => UnicodeTables.Properties[name];

    private static CodePointSet OfCategories(Func<UnicodeCategory, bool> isIn) => CodePointSet.OfCategories(isIn);
}
