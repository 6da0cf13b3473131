using System.Text.Json.Nodes;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>
/// The rotary embedding in <c>config.json</c>: <c>rope_theta</c> with <c>rope_scaling</c>, or today's
/// <c>rope_parameters</c> that hold both.
/// </summary>
internal static class RopeJson
{
    private const string Default = "default";
    private const string Llama3 = "llama3";
    private const string PartialRotation = "partial_rotary_factor";
    private const double DefaultTheta = 10000;

    /// <exception cref="InvalidDataException">The rope type is unknown, or a setting is not valid.</exception>
    public static (double Theta, RopeScaling? Scaling) Read(JsonSettings config)
    {
        RefusePartialRotation(config);
        var scaling = config.OptionalObject("rope_scaling");
        if (config.OptionalObject("rope_parameters") is not { } parameters)
        {
            return (config.OptionalNumber("rope_theta") ?? DefaultTheta,
                scaling is { } earlier ? ReadScaling(earlier, isTypeRequired: true) : null);
        }

        RefusePartialRotation(parameters);
        var current = ReadScaling(parameters, isTypeRequired: false);
        if (scaling is { } other && ReadScaling(other, isTypeRequired: true) != current)
            throw config.Refuse("rope_scaling", "says something else than \"rope_parameters\"");
        var theta = parameters.OptionalNumber("rope_theta") ?? config.OptionalNumber("rope_theta");
        return (theta ?? DefaultTheta, current);
    }

    /// <summary>Puts the rotary settings into a configuration, in the form that it already has.</summary>
    public static void Write(JsonObject config, CoLMConfig model)
    {
        if (config["rope_parameters"] is JsonObject parameters)
        {
            config.Remove("rope_theta");
            config.Remove("rope_scaling");
            parameters["rope_theta"] = ConfigJson.Number(model.RopeTheta);
            WriteScaling(parameters, model.RopeScaling);
            return;
        }
        config["rope_theta"] = ConfigJson.Number(model.RopeTheta);
        if (model.RopeScaling is null)
        {
            config["rope_scaling"] = null;
            return;
        }
        var scaling = new JsonObject();
        WriteScaling(scaling, model.RopeScaling);
        config["rope_scaling"] = scaling;
    }

    private static RopeScaling? ReadScaling(JsonSettings settings, bool isTypeRequired)
    {
        var type = settings.OptionalText("rope_type") ?? settings.OptionalText("type"); // "type" in the earliest files
        if (type == Default || (type is null && !isTypeRequired))
            return null;
        if (type != Llama3)
            throw settings.Refuse("rope_type", $"\"{Default}\" or \"{Llama3}\"", type);

        var scaling = new RopeScaling(settings.Number("factor"), settings.Number("low_freq_factor"),
            settings.Number("high_freq_factor"), settings.Integer("original_max_position_embeddings"));
        if (!(scaling.Factor >= 1 && double.IsFinite(scaling.Factor)))
            throw settings.Refuse("factor", "at least 1", scaling.Factor);
        if (!(scaling.LowFrequencyFactor > 0))
            throw settings.Refuse("low_freq_factor", "above 0", scaling.LowFrequencyFactor);
        if (!(scaling.HighFrequencyFactor > scaling.LowFrequencyFactor))
            throw settings.Refuse("high_freq_factor", "above low_freq_factor", scaling.HighFrequencyFactor);
        if (scaling.OriginalContextLength < 1)
            throw settings.Refuse("original_max_position_embeddings", "at least 1", scaling.OriginalContextLength);
        return scaling;
    }

    private static void WriteScaling(JsonObject target, RopeScaling? scaling)
    {
        target.Remove("type");
        target["rope_type"] = scaling is null ? Default : Llama3;
        if (scaling is null)
        {
            foreach (var name in (ReadOnlySpan<string>)
                ["factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"])
            {
                target.Remove(name);
            }
            return;
        }
        target["factor"] = ConfigJson.Number(scaling.Factor);
        target["low_freq_factor"] = ConfigJson.Number(scaling.LowFrequencyFactor);
        target["high_freq_factor"] = ConfigJson.Number(scaling.HighFrequencyFactor);
        target["original_max_position_embeddings"] = scaling.OriginalContextLength;
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
