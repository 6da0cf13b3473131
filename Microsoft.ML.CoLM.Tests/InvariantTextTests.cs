using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>Texts are the same wherever the library runs.</summary>
[TestClass, DoNotParallelize]
public sealed class InvariantTextTests
{
    private static readonly Type[] WholeNumbers = [typeof(byte), typeof(int), typeof(uint), typeof(long), typeof(Int128)];

    /// <summary>
    /// No code writes a number with a fraction, a number in a format, or what may be one, in the current culture's way.
    /// </summary>
    [TestMethod]
    public void NoTextIsWrittenInTheCurrentCulturesWay()
    {
        // Records write themselves, for debugging, as the compiler does it.
        string[] found = [.. MethodCalls.OfLibrary().Where(method => method.Name != "PrintMembers").SelectMany(method =>
            CulturedCalls([.. MethodCalls.From(method)]).Select(call => $"{method.DeclaringType}.{method.Name}: {call}"))];
        Assert.IsEmpty(found, string.Join('\n', found));
    }

    // Germans write fractions with a comma, Swedes and Arabs negative numbers with other signs.
    [TestMethod]
    [DataRow("de-DE")]
    [DataRow("sv-SE")]
    [DataRow("ar-SA")]
    public void MessagesOfAForeignProgramAreThoseOfAnyOther(string culture)
    {
        string[] invariant = [.. Messages(CultureInfo.InvariantCulture)];
        string[] foreign = [.. Messages(CultureInfo.GetCultureInfo(culture))];
        CollectionAssert.AreEqual(invariant, foreign);
        foreach (var number in (string[])["-0.5", "0.25", "1.5", "-7"])
            Assert.IsTrue(Array.Exists(foreign, message => message.Contains(number, StringComparison.Ordinal)), number);
    }

    private static IEnumerable<string> CulturedCalls(MethodBase[] calls)
    {
        var isCultured = calls.Any(call => call is ConstructorInfo && call.GetParameters().Length == 2 &&
            call.DeclaringType == typeof(DefaultInterpolatedStringHandler));
        foreach (var call in calls)
        {
            var (type, parameters) = (call.DeclaringType, call.GetParameters());
            var argument = call.IsGenericMethod ? call.GetGenericArguments()[0] : null;
            var isFormatted = call.Name == "AppendFormatted" && argument is not null &&
                (IsFraction(argument) || (parameters is [_, { Name: "format" }] && argument != typeof(byte) && argument != typeof(Guid)));
            if (type == typeof(DefaultInterpolatedStringHandler) && isCultured && isFormatted)
                yield return $"an interpolated {argument}";
            else if (type == typeof(StringBuilder.AppendInterpolatedStringHandler) && isFormatted)
                yield return $"an appended {argument}";
            else if (type == typeof(StringBuilder) && call.Name == "Append" && IsFraction(parameters[0].ParameterType))
                yield return $"an appended {parameters[0].ParameterType}";
            else if (type == typeof(string) && call.Name is "Join" or "Concat" && argument is not null && IsFraction(argument))
                yield return $"joined {argument}";
            else if (type == typeof(ArgumentOutOfRangeException) && argument is not null && IsFraction(argument))
                yield return $"a refused {argument}";
            else if (IsNumber(type) && call.Name is "ToString" or "Parse" or "TryParse" &&
                !Array.Exists(parameters, parameter => parameter.ParameterType == typeof(IFormatProvider)))
                yield return $"{type}.{call.Name}";
        }
    }

    private static bool IsNumber(Type? type) =>
        type is not null && (WholeNumbers.Contains(type) || type == typeof(double) || type == typeof(float));

    // A type parameter may stand for a number with a fraction, and so may what is an object or a value to be formatted.
    private static bool IsFraction(Type type) => type.IsGenericParameter || type == typeof(object) ||
        type == typeof(IFormattable) || type == typeof(double) || type == typeof(float) || type == typeof(decimal) ||
        type == typeof(DateTime) || type == typeof(TimeSpan) ||
        (Nullable.GetUnderlyingType(type) is { } value && IsFraction(value));

    private static List<string> Messages(CultureInfo culture)
    {
        var before = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = culture;
        try
        {
            List<string> messages = [];
            Refusals(messages);
            TrainingMessages(messages);
            return messages;
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    private static void Refusals(List<string> messages)
    {
        using var model = TextModels.Random(4, 2);
        using var transformer = new MLContext(seed: 1).Scorer(model);
        var (config, generator) = (TestModels.Config(4), new TextGenerator(model, transformer.Tokenizer));
        Action[] refused =
        [
            () => (config with { RmsNormEpsilon = -0.5 }).Validated(),
            () => (config with { RopeTheta = -0.5 }).Validated(),
            () => (config with { RopeScaling = new Llama3RopeScaling(-0.5, 1, 4, 8192) }).Validated(),
            () => (config with { RopeScaling = new Llama3RopeScaling(8, 1.5, 0.25, 8192) }).Validated(),
            () => (config with { LayerCount = -7 }).Validated(),
            () => (config with { BosTokenId = -7 }).Validated(),
            () => transformer.WithChainCount(-7),
            () => _ = new KvCache(model, -7),
            () => generator.Generate("a", new() { MaxNewTokens = -7 }),
            () => generator.Generate("a", new() { ChainSchedule = _ => -7 }),
            () => new MLContext().Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model, BatchSize = -7 }),
            () => Tuned(transformer, options => options.BatchSize = -7),
            () => generator.Generate("a", new() { Temperature = -0.5 }),
            () => generator.Generate("a", new() { TopP = 1.5 }),
            () => generator.Generate("a", new() { MinP = 1.5 }),
            () => generator.Generate("a", new() { RepetitionPenalty = -0.5 }),
            () => transformer.WithCascade(new() { ChainCounts = [1, 2], MaximumLosses = [0.25, 1.5] }),
            () => transformer.WithCascade(new() { ChainCounts = [1, 2, 3], MaximumLosses = [1.5, 0.25] }),
            () => Tuned(transformer, options => options.LearningRate = -0.5),
            () => Tuned(transformer, options => options.WeightDecay = -0.5),
            () => Tuned(transformer, options => options.Beta1 = 1.5),
            () => Tuned(transformer, options => options.MaxGradientNorm = -0.5),
            () => Tuned(transformer, options => options.LabelSmoothing = 1.5),
            () => Tuned(transformer, options => options.ClassWeights = [0.25, -0.5]),
            () => Tuned(transformer, options => options.ScaleWeights = [0.25, -0.5]),
            () => Tuned(transformer, options => options.Lora = new() { Alpha = -0.5 }),
            () => Tuned(transformer, options => options.Lora = new() { Dropout = 1.5 }),
        ];
        foreach (var action in refused)
            messages.Add(Assert.Throws<ArgumentException>(action).Message);
    }

    private static void Tuned(ElasticScoringTransformer model, Action<ChainTuningEstimator.Options> change)
    {
        var options = Tuning.Steps(model);
        change(options);
        _ = new MLContext(seed: 1).Transforms.ChainTuning(options);
    }

    // What a training says, but for the time that it takes.
    private static void TrainingMessages(List<string> messages)
    {
        var mlContext = new MLContext(seed: 1);
        mlContext.Log += (_, entry) =>
        {
            var speed = entry.RawMessage.IndexOf(" tokens/s", StringComparison.Ordinal);
            if (entry.Source.Contains("Chain tuning", StringComparison.Ordinal) && !entry.RawMessage.Contains("lapsed", StringComparison.Ordinal))
                messages.Add(speed < 0 ? entry.RawMessage : entry.RawMessage[..entry.RawMessage.LastIndexOf(',', speed)]);
        };
        using var model = TextModels.Random(4, 2);
        using var source = mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 2);
        options.ValidationSet = mlContext.Keyed();
        mlContext.Tune(options).Dispose();
        Assert.IsTrue(messages.Exists(message => message.Contains("loss ", StringComparison.Ordinal)));
    }
}
