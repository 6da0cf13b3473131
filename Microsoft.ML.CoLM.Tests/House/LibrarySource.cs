using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The library's source, compiled so far that every name in it is resolved.</summary>
internal sealed class LibrarySource
{
    private const string ImplicitUsings = "global using System; global using System.Collections.Generic; global using System.IO; " +
        "global using System.Linq; global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";

    private readonly CSharpCompilation _compilation;
    private readonly string _folder;
    private readonly Lazy<Use[]> _uses;

    private LibrarySource(string folder, CSharpCompilation compilation)
    {
        (_folder, _compilation) = (folder, compilation);
        _uses = new(() => [.. Trees.AsParallel().SelectMany(UsesIn).Distinct()]);
    }

    /// <summary>Reads the library beside these tests.</summary>
    public static LibrarySource Read()
    {
        var folder = Path.Combine(SharedData.RepositoryRoot(), "Microsoft.ML.CoLM");
        var parsing = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Preview);
        var trees = Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(path => Path.GetRelativePath(folder, path).Split(Path.DirectorySeparatorChar)[0] is not ("obj" or "bin"))
            .Select(path => CSharpSyntaxTree.ParseText(File.ReadAllText(path), parsing, path))
            .Append(CSharpSyntaxTree.ParseText(ImplicitUsings, parsing));
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != "Microsoft.ML.CoLM")
            .Select(path => MetadataReference.CreateFromFile(path));
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true,
            metadataImportOptions: MetadataImportOptions.All);
        return new(folder, CSharpCompilation.Create("Microsoft.ML.CoLM", trees, references, options));
    }

    /// <summary>The library's files, relative to its folder.</summary>
    public IEnumerable<string> Files => Trees.Select(RelativePath);

    /// <summary>What a file uses of others: the name that stands in it, and the file that declares what it means.</summary>
    public IReadOnlyList<Use> Uses => _uses.Value;

    private IEnumerable<SyntaxTree> Trees => _compilation.SyntaxTrees.Where(tree => tree.FilePath.Length > 0);

    private IEnumerable<Use> UsesIn(SyntaxTree tree)
    {
        var model = _compilation.GetSemanticModel(tree);
        foreach (var node in tree.GetRoot().DescendantNodes(node => node is not UsingDirectiveSyntax))
        {
            // What is called by no name, as an indexer, a conversion or the target of "new()", has a symbol, too.
            if (node is not (SimpleNameSyntax or BaseObjectCreationExpressionSyntax or ElementAccessExpressionSyntax))
                continue;
            foreach (var symbol in Meant(model.GetSymbolInfo(node)))
            {
                if (FileOf(symbol) is { } file && file != tree)
                    yield return new(RelativePath(tree), node.ToString(), RelativePath(file));
            }
        }
    }

    private static IEnumerable<ISymbol> Meant(SymbolInfo found) =>
        found.Symbol is { } symbol ? [symbol] : found.CandidateSymbols;

    // A member counts as what stands where it is declared, and a type in parts as what stands in the file of its name.
    private static SyntaxTree? FileOf(ISymbol symbol)
    {
        if (symbol is not (INamedTypeSymbol or IMethodSymbol or IPropertySymbol or IFieldSymbol or IEventSymbol))
            return null;
        var parts = symbol.OriginalDefinition.DeclaringSyntaxReferences;
        if (symbol is IMethodSymbol { IsImplicitlyDeclared: true })
            parts = symbol.ContainingType.OriginalDefinition.DeclaringSyntaxReferences;
        return parts.MinBy(part => Path.GetFileName(part.SyntaxTree.FilePath).Length)?.SyntaxTree;
    }

    private string RelativePath(SyntaxTree tree) => Path.GetRelativePath(_folder, tree.FilePath);

    /// <summary>A name in one file that means something of another.</summary>
    /// <param name="User">The file.</param>
    /// <param name="Name">What stands there.</param>
    /// <param name="Used">The other file.</param>
    internal sealed record Use(string User, string Name, string Used);
}
