using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The public types are shaped alike.</summary>
[TestClass, DoNotParallelize]
public sealed class SurfaceTests
{
    private static readonly Type[] Public = typeof(CoLMModel).Assembly.GetExportedTypes();

    public static IEnumerable<object[]> Made { get; } =
    [
        [typeof(CascadeCalibration)], [typeof(ChainScheduleStep)], [typeof(ChainSweepResult)], [typeof(ChainTrial)],
        [typeof(CoLMModelInfo)], [typeof(CorrelationMetrics)], [typeof(GenerationResult)], [typeof(GenerationStatistics)],
        [typeof(LanguageModelMetrics)], [typeof(MultipleChoiceMetrics)], [typeof(TrainingProgress)], [typeof(TrainingSummary)],
    ];

    [TestMethod]
    [DynamicData(nameof(Made))]
    public void WhatTheLibraryMakesNobodyElseMakesOrChanges(Type type)
    {
        Assert.IsTrue(type.IsSealed && type.IsClass, $"{type}");
        Assert.IsEmpty(type.GetConstructors());
        Assert.IsEmpty(type.GetProperties().Where(property => property.SetMethod is { IsPublic: true }).Select(property => property.Name));
        Assert.IsNull(type.GetMethod("Deconstruct"));
    }

    // Only the architecture, which programs write with "with", is a record.
    [TestMethod]
    public void TheArchitectureAloneIsARecord()
    {
        Type[] records = [.. Public.Where(type => type.GetMethod("<Clone>$") is not null)];
        CollectionAssert.AreEqual(new[] { typeof(CoLMConfig) }, records);
    }

    [TestMethod]
    public void OptionsAreMadeEmptyAndSetOneByOne()
    {
        Type[] options = [.. Public.Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal) && !type.IsAbstract)];
        Assert.IsGreaterThan(5, options.Length);
        foreach (var type in options)
        {
            Assert.IsNotNull(type.GetConstructor([]), $"{type}");
            foreach (var property in type.GetProperties())
            {
                var setter = property.SetMethod!;
                Assert.IsTrue(setter.IsPublic, $"{type}.{property.Name}");
                Assert.IsFalse(setter.ReturnParameter.GetRequiredCustomModifiers().Any(
                    modifier => modifier.Name == "IsExternalInit"), $"{type}.{property.Name}");
            }
        }
    }

    [TestMethod]
    public void WhatCancelsACallHasOneNameAndMayBeLeftOut()
    {
        ParameterInfo[] tokens = [.. Public.SelectMany(type => type.GetMethods())
            .Where(method => !method.IsSpecialName).SelectMany(method => method.GetParameters())
            .Where(parameter => parameter.ParameterType == typeof(CancellationToken))];
        Assert.IsGreaterThan(10, tokens.Length);
        foreach (var token in tokens)
        {
            var where = $"{token.Member.DeclaringType}.{token.Member.Name}";
            Assert.AreEqual("cancellationToken", token.Name, where);
            Assert.IsTrue(token.IsOptional, where);
            Assert.HasCount(token.Position + 1, ((MethodBase)token.Member).GetParameters(), where);
        }
    }

    [TestMethod]
    public void OptionsThatAreMemoryAreInBytesAndSaySo()
    {
        var wrong = Public.Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal))
            .SelectMany(type => type.GetProperties()).Where(property => property.PropertyType == typeof(long))
            .Where(property => !property.Name.EndsWith("Bytes", StringComparison.Ordinal)).Select(property => property.Name);
        Assert.IsEmpty(wrong);
    }

    [TestMethod]
    public void EveryOptionSaysItsDefault()
    {
        var folder = Path.Combine(SharedData.RepositoryRoot(), "Microsoft.ML.CoLM");
        PropertyDeclarationSyntax[] options = [.. Directory.EnumerateFiles(folder, "*Options.cs", SearchOption.AllDirectories)
            .Select(file => CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot())
            .SelectMany(root => root.DescendantNodes().OfType<PropertyDeclarationSyntax>())
            .Where(property => property.Modifiers.Any(SyntaxKind.PublicKeyword))
            .Where(property => property.FirstAncestorOrSelf<ClassDeclarationSyntax>()!.Modifiers.Any(SyntaxKind.PublicKeyword))];
        Assert.IsGreaterThan(90, options.Length);
        Assert.IsEmpty(options.Where(option => !option.GetLeadingTrivia().ToFullString().Contains("Default:", StringComparison.Ordinal))
            .Select(option => option.Identifier.Text));
    }

    [TestMethod]
    public void AModelAndATransformerHaveOneNameInAllOptions()
    {
        foreach (var property in Public.Where(type => type.Name.EndsWith("Options", StringComparison.Ordinal)).SelectMany(type => type.GetProperties()))
        {
            if (property.PropertyType == typeof(CoLMModel))
                Assert.AreEqual("Model", property.Name);
            if (property.PropertyType == typeof(ElasticScoringTransformer))
                Assert.AreEqual("Transformer", property.Name);
        }
    }
}
