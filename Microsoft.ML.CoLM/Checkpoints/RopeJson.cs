using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// The rotary embedding in <c>config.json</c>: <c>rope_theta</c> with <c>rope_scaling</c>, or today's
/// <c>rope_parameters</c> that hold both.
/// </summary>
/// <remarks>
/// What a file leaves out is what transformers takes for it, and <c>rope_scaling</c> goes before <c>rope_parameters</c> as
/// there; where the two differ, the file is refused.
/// </remarks>
internal static class RopeJson
{
    private const string Theta = "rope_theta";
    private const string Scaling = "rope_scaling";
    private const string Parameters = "rope_parameters";
    private const string MaxPositions = "max_position_embeddings";
    private const string OriginalMaxPositions = "original_max_position_embeddings";
    private const string PartialRotation = "partial_rotary_factor";

    private const string Default = "default";
    private const string Linear = "linear";
    private const string Dynamic = "dynamic";
    private const string Yarn = "yarn";
    private const string Llama3 = "llama3";

    // What LlamaConfig of transformers takes for settings that a file leaves out.
    private const double DefaultTheta = 10000;
    private const int DefaultMaxPositions = 2048;

    // All settings of all types.
    private static readonly string[] ScalingNames =
    [
        "type", "rope_type", "factor", "low_freq_factor", "high_freq_factor", OriginalMaxPositions, "beta_fast", "beta_slow",
        "attention_factor", "mscale", "mscale_all_dim", "truncate",
    ];

    /// <exception cref="InvalidDataException">The rope type is unknown, or a setting is not valid.</exception>
    public static (double Theta, RopeScaling? Scaling, int ContextLength) Read(JsonSettings config)
    {
        var maxPositions = config.OptionalInteger(MaxPositions) ?? DefaultMaxPositions;
        if (maxPositions < 1)
            throw config.Refuse(MaxPositions, "at least 1", maxPositions);
        var (theta, scaling) = ReadBoth(config, maxPositions);
        var context = Math.Floor(scaling?.ContextOf(maxPositions) ?? maxPositions);
        if (context > int.MaxValue)
        {
            throw config.Refuse(MaxPositions, FormattableString.Invariant(
                $"is {maxPositions}, which with the rotary scaling's factor of {scaling!.Factor} is a context of more than {int.MaxValue} tokens"));
        }
        return (theta, scaling, (int)context);
    }

    /// <summary>Puts the rotary settings into a configuration, in the form that it already has.</summary>
    public static void Write(JsonObject config, CoLMConfig model)
    {
        config.Remove(OriginalMaxPositions);
        if (config[Parameters] is JsonObject parameters)
        {
            config.Remove(Theta);
            config.Remove(Scaling);
            parameters[Theta] = ConfigJson.Number(model.RopeTheta);
            WriteScaling(parameters, model.RopeScaling);
            return;
        }
        config[Theta] = ConfigJson.Number(model.RopeTheta);
        if (model.RopeScaling is null)
        {
            config[Scaling] = null;
            return;
        }
        var scaling = new JsonObject();
        WriteScaling(scaling, model.RopeScaling);
        config[Scaling] = scaling;
    }

    private static (double Theta, RopeScaling? Scaling) ReadBoth(JsonSettings config, int maxPositions)
    {
        RefusePartialRotation(config);
        var theta = config.OptionalNumber(Theta) ?? DefaultTheta;
        var today = config.OptionalObject(Parameters) is { } parameters
            ? ReadScaling(config, parameters, maxPositions, theta, isTypeRequired: false)
            : ((double, RopeScaling?)?)null;
        if (config.OptionalObject(Scaling) is not { IsEmpty: false } scaling)
            return today ?? (theta, null);
        var earlier = ReadScaling(config, scaling, maxPositions, theta, isTypeRequired: true);
        if (today is { } other && other != earlier)
            throw config.Refuse(Scaling, $"says something else than \"{Parameters}\"");
        return earlier;
    }

    private static (double Theta, RopeScaling? Scaling) ReadScaling(
        JsonSettings config, JsonSettings settings, int maxPositions, double theta, bool isTypeRequired)
    {
        RefusePartialRotation(settings);
        theta = settings.OptionalNumber(Theta) ?? theta;
        var type = settings.OptionalText("rope_type") ?? settings.OptionalText("type"); // "type" in the earliest files
        if (type == Default || (type is null && !isTypeRequired))
            return (theta, null);

        // Today's transformers go by the configuration's own, where it has one, as Phi-3's does.
        var original = config.OptionalWholeNumber(OriginalMaxPositions) ?? settings.OptionalWholeNumber(OriginalMaxPositions)
            ?? maxPositions;
        if (type is Yarn or Llama3 && original < 1)
            throw settings.Refuse(OriginalMaxPositions, "at least 1", original);
        RopeScaling scaling = type switch
        {
            Linear => new LinearRopeScaling(Factor(settings), maxPositions),
            Dynamic => new DynamicRopeScaling(Factor(settings), maxPositions),
            Yarn => ReadYarn(settings, maxPositions, original),
            Llama3 => ReadLlama3(settings, original),
            _ => throw settings.Refuse("rope_type",
                $"\"{Default}\", \"{Linear}\", \"{Dynamic}\", \"{Yarn}\" or \"{Llama3}\"", type),
        };
        return (theta, scaling);
    }

    private static Llama3RopeScaling ReadLlama3(JsonSettings settings, int original)
    {
        var scaling = new Llama3RopeScaling(
            Factor(settings), settings.Number("low_freq_factor"), settings.Number("high_freq_factor"), original);
        if (!(scaling.LowFrequencyFactor > 0))
            throw settings.Refuse("low_freq_factor", "above 0", scaling.LowFrequencyFactor);
        if (!(scaling.HighFrequencyFactor > scaling.LowFrequencyFactor))
            throw settings.Refuse("high_freq_factor", "above low_freq_factor", scaling.HighFrequencyFactor);
        return scaling;
    }

    private static YarnRopeScaling ReadYarn(JsonSettings settings, int maxPositions, int original)
    {
        // Null is the ratio of the two contexts; a file must say so.
        var factor = settings.Has("factor") && settings.OptionalNumber("factor") is null
            ? (double)maxPositions / original
            : Factor(settings);
        var scaling = new YarnRopeScaling(factor, original)
        {
            BetaFast = Beta("beta_fast", 32),
            BetaSlow = Beta("beta_slow", 1),
            AttentionFactor = settings.OptionalNumber("attention_factor"),
            MScale = settings.OptionalNumber("mscale"),
            MScaleAllDimensions = settings.OptionalNumber("mscale_all_dim"),
            Truncate = settings.OptionalBoolean("truncate") ?? !settings.Has("truncate"),
        };
        if (!(scaling.BetaSlow > 0))
            throw settings.Refuse("beta_slow", "above 0", scaling.BetaSlow);
        if (!(scaling.BetaFast >= scaling.BetaSlow && double.IsFinite(scaling.BetaFast)))
            throw settings.Refuse("beta_fast", "a number of at least beta_slow", scaling.BetaFast);
        if (scaling.AttentionFactor is { } given && !(given > 0 && double.IsFinite(given)))
            throw settings.Refuse("attention_factor", "above 0", given);
        if (!(scaling.Amplitude > 0 && double.IsFinite(scaling.Amplitude)))
        {
            throw settings.Refuse("mscale", FormattableString.Invariant(
                $"and mscale_all_dim make an attention factor of {scaling.Amplitude}, where a number above 0 belongs"));
        }
        return scaling;

        // As in transformers, zero is the default, too.
        double Beta(string name, double usual) => settings.OptionalNumber(name) is { } beta and not 0 ? beta : usual;
    }

    private static double Factor(JsonSettings settings)
    {
        var factor = settings.Number("factor");
        return factor >= 1 && double.IsFinite(factor) ? factor : throw settings.Refuse("factor", "at least 1", factor);
    }

    private static void WriteScaling(JsonObject target, RopeScaling? scaling)
    {
        foreach (var name in ScalingNames)
            target.Remove(name);
        target["rope_type"] = scaling switch
        {
            null => Default,
            LinearRopeScaling => Linear,
            DynamicRopeScaling => Dynamic,
            YarnRopeScaling => Yarn,
            _ => Llama3,
        };
        if (scaling is null)
            return;
        target["factor"] = ConfigJson.Number(scaling.Factor);
        if (scaling is Llama3RopeScaling llama3)
        {
            target["low_freq_factor"] = ConfigJson.Number(llama3.LowFrequencyFactor);
            target["high_freq_factor"] = ConfigJson.Number(llama3.HighFrequencyFactor);
        }
        if (scaling is YarnRopeScaling yarn)
        {
            target["beta_fast"] = ConfigJson.Number(yarn.BetaFast);
            target["beta_slow"] = ConfigJson.Number(yarn.BetaSlow);
            WriteOptional("attention_factor", yarn.AttentionFactor);
            WriteOptional("mscale", yarn.MScale);
            WriteOptional("mscale_all_dim", yarn.MScaleAllDimensions);
            if (!yarn.Truncate)
                target["truncate"] = false;
        }
        if (scaling is YarnRopeScaling or Llama3RopeScaling)
            target[OriginalMaxPositions] = scaling.OriginalContextLength;

        void WriteOptional(string name, double? value)
        {
            if (value is { } number)
                target[name] = ConfigJson.Number(number);
        }
    }

    private static void RefusePartialRotation(JsonSettings settings)
    {
        if (settings.OptionalNumber(PartialRotation) is { } share && share != 1)
        {
            throw settings.Refuse(PartialRotation, FormattableString.Invariant(
                $"is {share}, and rotating a part of each head is not supported"));
        }
    }
}
