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
    public static (double Theta, RopeScaling? Scaling, int ContextLength) Read(JsonField config)
    {
        var maxPositions = config[MaxPositions].IntegerOrNull ?? DefaultMaxPositions;
        if (maxPositions < 1)
            throw config[MaxPositions].Refuse("at least 1", maxPositions);
        var (theta, scaling) = ReadBoth(config, maxPositions);
        var context = Math.Floor(scaling?.ContextOf(maxPositions) ?? maxPositions);
        if (context > int.MaxValue)
        {
            throw config[MaxPositions].RefuseAs(FormattableString.Invariant(
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

    private static (double Theta, RopeScaling? Scaling) ReadBoth(JsonField config, int maxPositions)
    {
        RefusePartialRotation(config);
        var theta = config[Theta].NumberOrNull ?? DefaultTheta;
        var today = config[Parameters].ObjectOrNull is { } parameters
            ? ReadScaling(config, parameters, maxPositions, theta, isTypeRequired: false)
            : ((double, RopeScaling?)?)null;
        if (config[Scaling].ObjectOrNull is not { IsEmpty: false } scaling)
            return today ?? (theta, null);
        var earlier = ReadScaling(config, scaling, maxPositions, theta, isTypeRequired: true);
        if (today is { } other && !other.Equals(earlier))
            throw config[Scaling].RefuseAs($"says something else than \"{Parameters}\"");
        return earlier;
    }

    private static (double Theta, RopeScaling? Scaling) ReadScaling(
        JsonField config, JsonField settings, int maxPositions, double theta, bool isTypeRequired)
    {
        RefusePartialRotation(settings);
        theta = settings[Theta].NumberOrNull ?? theta;
        var type = settings["rope_type"].TextOrNull ?? settings["type"].TextOrNull; // "type" in the earliest files
        if (type == Default || (type is null && !isTypeRequired))
            return (theta, null);

        // Today's transformers go by the configuration's own, where it has one, as Phi-3's does.
        var original = config[OriginalMaxPositions].WholeNumberOrNull ?? settings[OriginalMaxPositions].WholeNumberOrNull
            ?? maxPositions;
        if (type is Yarn or Llama3 && original < 1)
            throw settings[OriginalMaxPositions].Refuse("at least 1", original);
        RopeScaling scaling = type switch
        {
            Linear => new LinearRopeScaling(Factor(settings), maxPositions),
            Dynamic => new DynamicRopeScaling(Factor(settings), maxPositions),
            Yarn => ReadYarn(settings, maxPositions, original),
            Llama3 => ReadLlama3(settings, original),
            _ => throw settings["rope_type"].Refuse(
                $"\"{Default}\", \"{Linear}\", \"{Dynamic}\", \"{Yarn}\" or \"{Llama3}\"", type),
        };
        return (theta, scaling);
    }

    private static Llama3RopeScaling ReadLlama3(JsonField settings, int original)
    {
        var scaling = new Llama3RopeScaling(
            Factor(settings), settings["low_freq_factor"].Number, settings["high_freq_factor"].Number, original);
        if (!(scaling.LowFrequencyFactor > 0))
            throw settings["low_freq_factor"].Refuse("above 0", scaling.LowFrequencyFactor);
        if (!(scaling.HighFrequencyFactor > scaling.LowFrequencyFactor))
            throw settings["high_freq_factor"].Refuse("above low_freq_factor", scaling.HighFrequencyFactor);
        return scaling;
    }

    private static YarnRopeScaling ReadYarn(JsonField settings, int maxPositions, int original)
    {
        // Null is the ratio of the two contexts; a file must say so.
        var factor = settings["factor"].IsThere && settings["factor"].NumberOrNull is null
            ? (double)maxPositions / original
            : Factor(settings);
        var scaling = new YarnRopeScaling(factor, original)
        {
            BetaFast = Beta("beta_fast", 32),
            BetaSlow = Beta("beta_slow", 1),
            AttentionFactor = settings["attention_factor"].NumberOrNull,
            MScale = settings["mscale"].NumberOrNull,
            MScaleAllDimensions = settings["mscale_all_dim"].NumberOrNull,
            Truncate = settings["truncate"].FlagOrNull ?? !settings["truncate"].IsThere,
        };
        if (!(scaling.BetaSlow > 0))
            throw settings["beta_slow"].Refuse("above 0", scaling.BetaSlow);
        if (!(scaling.BetaFast >= scaling.BetaSlow && double.IsFinite(scaling.BetaFast)))
            throw settings["beta_fast"].Refuse("a number of at least beta_slow", scaling.BetaFast);
        if (scaling.AttentionFactor is { } given && !(given > 0 && double.IsFinite(given)))
            throw settings["attention_factor"].Refuse("above 0", given);
        if (!(scaling.Amplitude > 0 && double.IsFinite(scaling.Amplitude)))
        {
            throw settings["mscale"].RefuseAs(FormattableString.Invariant(
                $"and mscale_all_dim make an attention factor of {scaling.Amplitude}, where a number above 0 belongs"));
        }
        return scaling;

        // As in transformers, zero is the default, too.
        double Beta(string name, double usual) => settings[name].NumberOrNull is { } beta and not 0 ? beta : usual;
    }

    private static double Factor(JsonField settings)
    {
        var factor = settings["factor"].Number;
        return factor >= 1 && double.IsFinite(factor) ? factor : throw settings["factor"].Refuse("at least 1", factor);
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

    private static void RefusePartialRotation(JsonField settings)
    {
        if (settings[PartialRotation].NumberOrNull is { } share && share != 1)
        {
            throw settings[PartialRotation].RefuseAs(FormattableString.Invariant(
                $"is {share}, and rotating a part of each head is not supported"));
        }
    }
}
