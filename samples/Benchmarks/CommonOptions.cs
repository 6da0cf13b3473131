using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.ML.CoLM;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>Options that several commands offer; each command has objects of its own.</summary>
internal static partial class CommonOptions
{
    public const string OwnSession = "cpu";
    public const string TorchSession = "torch";

    public static Option<string> Device()
    {
        var option = new Option<string>("--device")
        {
            Description = "cpu, cuda or cuda:N",
            HelpName = "cpu|cuda[:N]",
            DefaultValueFactory = _ => "cpu",
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } text && !DeviceName().IsMatch(text))
                result.AddError($"--device must be cpu, cuda or cuda:N, found '{text}'.");
        });
        return option;
    }

    public static Option<string> DataType() => new Option<string>("--dtype")
    {
        Description = "the type of weights and features",
        DefaultValueFactory = _ => "float32",
    }.AcceptOnlyFromAmong("float32", "bfloat16");

    /// <summary>Whose kernels compute: a ratio compares the first named with the others.</summary>
    public static Option<string[]> Session() => new Option<string[]>("--session")
    {
        Description = "cpu for the library's own kernels, torch for libtorch's, or both to take turns",
        HelpName = "cpu|torch",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [OwnSession],
    }.AcceptOnlyFromAmong(OwnSession, TorchSession);

    /// <summary>What a session is called in a report.</summary>
    public static string ToLabel(string session, string name) => session == OwnSession ? name : $"{name}, libtorch's session";

    public static Option<ChainLayout> Layout(string description, string? byDefault = null)
    {
        var option = new Option<ChainLayout>("--layout")
        {
            Description = description,
            HelpName = "C1,C2,...",
            CustomParser = ParseLayout,
        };
        if (byDefault is not null)
            option.DefaultValueFactory = _ => ChainLayout.Parse(byDefault);
        return option;
    }

    /// <summary>Reads a layout for an option's value.</summary>
    public static ChainLayout? ParseLayout(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        try
        {
            return ChainLayout.Parse(text);
        }
        catch (ArgumentException)
        {
            result.AddError($"A layout is a head count for each chain, such as 8,8,8,8; found '{text}'.");
            return null;
        }
    }

    public static Option<int> Rounds(int byDefault) =>
        Count("--rounds", "how often the things compared take turns", byDefault);

    /// <summary>A whole number of at least 1.</summary>
    public static Option<int> Count(string name, string description, int byDefault)
    {
        var option = new Option<int>(name)
        {
            Description = description,
            HelpName = "N",
            DefaultValueFactory = _ => byDefault,
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
                result.AddError($"{name} must be at least 1, found {result.GetValueOrDefault<int>()}.");
        });
        return option;
    }

    /// <summary>The device that an option names.</summary>
    /// <exception cref="InvalidOperationException">The machine has no such device.</exception>
    public static Device ToDevice(string name)
    {
        if (name == "cpu")
            return CPU;
        var index = name.Split(':') is [_, var number] ? int.Parse(number, CultureInfo.InvariantCulture) : 0;
        var found = cuda.is_available() ? cuda.device_count() : 0;
        return index < found ? new Device(DeviceType.CUDA, index)
            : throw new InvalidOperationException($"--device is {name}, but {found} CUDA devices were found.");
    }

    public static ScalarType ToDataType(string name) => name == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;

    [GeneratedRegex(@"^(cpu|cuda(:\d+)?)$")]
    private static partial Regex DeviceName();
}
