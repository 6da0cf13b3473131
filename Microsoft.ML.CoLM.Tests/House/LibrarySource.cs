using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The library's source, and what names in it mean.</summary>
/// <remarks>
/// Binding the bodies of members is nearly all of the time that this takes, and few need it. A body gets what it works with by
/// names of types, by extension methods and by members, and a member's signature names the types that it gives. So where every
/// arrow of a signature points down, only the first two can lead a body up, and members of types that have parts in several
/// rooms: a name in a body that is none of these in a room above is not looked up.
/// </remarks>
internal sealed partial class LibrarySource
{
    private const string ImplicitUsings = "global using System; global using System.Collections.Generic; global using System.IO; " +
        "global using System.Linq; global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly CSharpParseOptions Parsing = CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Preview);

    private readonly string _folder = Path.Combine(SharedData.RepositoryRoot(), "Microsoft.ML.CoLM");
    private readonly (string Path, string Text)[] _files;
    private readonly Lazy<ILookup<bool, Use>> _uses;

    /// <summary>Reads the library beside these tests.</summary>
    public LibrarySource()
    {
        _files = [.. Directory.EnumerateFiles(_folder, "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(_folder, path))
            .Where(path => path.Split(Path.DirectorySeparatorChar)[0] is not ("obj" or "bin"))
            .Select(path => (path, File.ReadAllText(Path.Combine(_folder, path))))];
        _uses = new(() => Resolve().ToLookup(use => use.Used.Length > 0));
    }

    /// <summary>The library's files, relative to its folder.</summary>
    public IEnumerable<string> Files => _files.Select(file => file.Path);

    /// <summary>The rooms that files name in their using directives.</summary>
    public IEnumerable<(string File, string Room)> Usings => _files.SelectMany(file =>
        UsingOfRoom().Matches(file.Text).Select(found => (file.Path, found.Groups[1].Value)));

    /// <summary>What a file uses of others: the name that stands in it, and the file that declares what it means.</summary>
    public IReadOnlyList<Use> Uses => [.. _uses.Value[true]];

    /// <summary>Names of signatures that mean nothing, as if they were of files without a name.</summary>
    public IReadOnlyList<Use> Unresolved => [.. _uses.Value[false]];

    private Use[] Resolve()
    {
        SyntaxTree[] trees = [.. _files.AsParallel().Select(file => CSharpSyntaxTree.ParseText(file.Text, Parsing, file.Path))];
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != "Microsoft.ML.CoLM")
            .Select(path => MetadataReference.CreateFromFile(path));
        var compilation = CSharpCompilation.Create("Microsoft.ML.CoLM",
            trees.Append(CSharpSyntaxTree.ParseText(ImplicitUsings, Parsing)), references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true,
                metadataImportOptions: MetadataImportOptions.Internal));
        var names = NamesThatLead(trees);
        return [.. trees.AsParallel().WithMergeOptions(ParallelMergeOptions.NotBuffered)
            .SelectMany(tree => UsesIn(tree, compilation.GetSemanticModel(tree), names)).Distinct()];
    }

    /// <summary>Names that lead a body to a room without any other name, and the rooms.</summary>
    private static ILookup<string, string> NamesThatLead(SyntaxTree[] trees)
    {
        var members = trees.AsParallel().SelectMany(tree => tree.GetRoot().DescendantNodes(node => !IsBody(node))
            .OfType<MemberDeclarationSyntax>().Select(member => (Member: member, Room: Rooms.Of(tree.FilePath)))).ToArray();
        var divided = members.Where(declared => declared.Member is BaseTypeDeclarationSyntax)
            .GroupBy(declared => ((BaseTypeDeclarationSyntax)declared.Member).Identifier.Text, declared => declared.Room)
            .Where(rooms => rooms.Distinct().Count() > 1).Select(rooms => rooms.Key).ToHashSet();
        return members
            .Where(declared => declared.Member is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax || IsExtension(declared.Member) ||
                (declared.Member.Parent is BaseTypeDeclarationSyntax type && divided.Contains(type.Identifier.Text)))
            .SelectMany(declared => NamesOf(declared.Member).Select(name => (name, declared.Room)))
            .ToLookup(entry => entry.name, entry => entry.Room);
    }

    private static bool IsExtension(MemberDeclarationSyntax member) =>
        member is MethodDeclarationSyntax { ParameterList.Parameters: [var first, ..] } && first.Modifiers.Any(SyntaxKind.ThisKeyword);

    private static IEnumerable<string> NamesOf(MemberDeclarationSyntax member) => member switch
    {
        BaseFieldDeclarationSyntax fields => fields.Declaration.Variables.Select(variable => variable.Identifier.Text),
        _ => member.ChildTokens().Where(token => token.IsKind(SyntaxKind.IdentifierToken)).Select(token => token.Text),
    };

    private static IEnumerable<Use> UsesIn(SyntaxTree tree, SemanticModel model, ILookup<string, string> names)
    {
        var (room, root) = (Rooms.Of(tree.FilePath), tree.GetCompilationUnitRoot());
        var aliases = root.Usings.Select(one => one.Alias?.Name.Identifier.Text).ToHashSet();
        foreach (var (name, isInBody) in Names(root))
        {
            if (isInBody && !aliases.Contains(name.Identifier.Text) &&
                names[name.Identifier.Text].All(other => Rooms.MayUse(room, other)))
            {
                continue;
            }
            var found = model.GetSymbolInfo(name);
            // In bodies, internals of ML.NET are no symbols here.
            if (!isInBody && found is { Symbol: null, CandidateSymbols: [] })
                yield return new(tree.FilePath, name.ToString(), "");
            foreach (var symbol in found.Symbol is { } only ? [only] : found.CandidateSymbols)
            {
                if (FileOf(symbol) is { FilePath.Length: > 0 } file && file != tree)
                    yield return new(tree.FilePath, name.ToString(), file.FilePath);
            }
        }
    }

    private static IEnumerable<(SimpleNameSyntax Name, bool IsInBody)> Names(SyntaxNode root)
    {
        Stack<(SyntaxNode Node, bool IsInBody)> left = new([(root, false)]);
        while (left.TryPop(out var next))
        {
            foreach (var child in next.Node.ChildNodes().Where(child => child is not UsingDirectiveSyntax))
            {
                var isInBody = next.IsInBody || IsBody(child);
                // The constraint "unmanaged" is written as a name, and is none.
                if (child is SimpleNameSyntax name and not IdentifierNameSyntax { IsUnmanaged: true })
                    yield return (name, isInBody);
                left.Push((child, isInBody));
            }
        }
    }

    private static bool IsBody(SyntaxNode node) => node is BlockSyntax or ArrowExpressionClauseSyntax or EqualsValueClauseSyntax or
        ArgumentListSyntax or AttributeListSyntax;

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

    [GeneratedRegex(@"^using (?:static |\w+ = )?Microsoft\.ML\.CoLM\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex UsingOfRoom();

    /// <summary>A name in one file that means something of another.</summary>
    /// <param name="User">The file.</param>
    /// <param name="Name">What stands there.</param>
    /// <param name="Used">The other file.</param>
    internal sealed record Use(string User, string Name, string Used);
}
