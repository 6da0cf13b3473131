using System.Net;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>What the pages show compiles, and where they lead there is something.</summary>
[TestClass, DoNotParallelize]
public sealed partial class MarkdownTests
{
    // What a page's code takes for granted; what it declares itself comes before these.
    private const string TakenForGranted = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading.Tasks;
        global using Microsoft.ML;
        global using Microsoft.ML.CoLM;
        global using Given;
        global using static Given.Values;

        namespace Given
        {
            public sealed class Document { public string Text { get; set; } = ""; }
            public sealed class Score { public float Perplexity { get; set; } }

            public static class Values
            {
                public static MLContext mlContext = null!;
                public static IDataView train = null!, validation = null!, test = null!;
                public static ElasticScoringTransformer model = null!;
                public static ChainExpansionEstimator.Options options = null!;
            }
        }
        """;

    private static readonly string Root = SharedData.RepositoryRoot();

    private static IEnumerable<string> Pages =>
        new[] { "", ".github", "Microsoft.ML.CoLM", "samples" }.Select(folder => Path.Combine(Root, folder))
            .Concat(Directory.GetDirectories(Path.Combine(Root, "samples")))
            .SelectMany(folder => Directory.GetFiles(folder, "*.md"));

    private static IEnumerable<(string Page, string Code)> OfPages =>
        Pages.SelectMany(page => Code().Matches(File.ReadAllText(page)).Select(code => (page, code.Groups[1].Value)));

    // What documentation comments show stands behind three slashes, with what XML has a meaning for written otherwise.
    private static IEnumerable<(string Page, string Code)> OfComments =>
        Directory.EnumerateFiles(Path.Combine(Root, "Microsoft.ML.CoLM"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Comment().Matches(File.ReadAllText(file)).Select(code =>
                (file, WebUtility.HtmlDecode(Slashes().Replace(code.Groups[1].Value, "")))));

    [TestMethod]
    public void CodeOfPagesCompiles() => Compile(OfPages, atLeast: 4);

    [TestMethod]
    public void CodeOfCommentsCompiles() => Compile(OfComments, atLeast: 10);

    private static void Compile(IEnumerable<(string Page, string Code)> blocks, int atLeast)
    {
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(path => MetadataReference.CreateFromFile(path)).ToArray();
        var count = 0;
        foreach (var (page, code) in blocks)
        {
            count++;
            var program = CSharpCompilation.Create("Page",
                [CSharpSyntaxTree.ParseText(code, path: "page.cs"), CSharpSyntaxTree.ParseText(TakenForGranted)], references,
                new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
            var errors = program.GetDiagnostics().Where(found => found.Severity == DiagnosticSeverity.Error);
            Assert.IsEmpty(errors, $"{Path.GetRelativePath(Root, page)}:\n{code}\n{string.Join('\n', errors)}");
        }
        Assert.IsGreaterThanOrEqualTo(atLeast, count);
    }

    [TestMethod]
    public void LinksLeadSomewhere()
    {
        var links = Pages.SelectMany(page => Link().Matches(File.ReadAllText(page)).Select(link => (page, Target: link.Groups[1].Value)))
            .Where(link => !link.Target.Contains("://", StringComparison.Ordinal)).ToArray();
        Assert.IsGreaterThan(10, links.Length);
        foreach (var (page, target) in links)
        {
            Assert.IsTrue(Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, target)),
                $"{Path.GetRelativePath(Root, page)}: {target}");
        }
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Code();

    [GeneratedRegex("^ */// <code>\n(.*?)^ */// </code>", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex("^ */// ?", RegexOptions.Multiline)]
    private static partial Regex Slashes();

    [GeneratedRegex(@"\]\(([^)#]+)")]
    private static partial Regex Link();
}
