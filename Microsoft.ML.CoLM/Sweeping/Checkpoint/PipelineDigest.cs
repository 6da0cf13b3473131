using System.IO.Compression;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Tells a fitted pipeline from others: by the model's weights and settings, and by what all else in it is saved as.</summary>
internal static class PipelineDigest
{
    // ML.NET's version and the like, which decide nothing.
    private const string BuildFolder = "TrainingInfo";

    /// <summary>The SHA-256 of it; equal for a pipeline that was loaded from a zip of it.</summary>
    public static string Of(MLContext mlContext, ITransformer model) => Fingerprint.Of(fingerprint =>
    {
        foreach (var transformer in ElasticChain.Flatten(model))
        {
            if (transformer is ElasticScoringTransformer elastic)
                Add(fingerprint, elastic);
            else
                Add(fingerprint, mlContext, transformer);
        }
    });

    private static void Add(Fingerprint fingerprint, ElasticScoringTransformer transformer)
    {
        var (model, settings) = (transformer.Model, transformer.Settings);
        using var use = model.Enter();
        fingerprint.Add($"{settings.Columns}, {settings.Windows}, {settings.Scorer}");
        fingerprint.Add((settings.Scorer as CompletionRowScorer)?.Template.Text ?? "");
        fingerprint.Add(model);
        foreach (var (name, parameter) in model.Adapters?.named_parameters() ?? [])
            fingerprint.Add($"adapters.{name}", parameter);
        if (settings.Scorer.Head is { Pooling: not FeaturePooling.LastToken and var pooling })
            fingerprint.Add($"head.{pooling}");
        foreach (var (name, parameter) in settings.Scorer.Head?.named_parameters() ?? [])
            fingerprint.Add($"head.{name}", parameter);
    }

    // What cannot be saved can be swept all the same, and is told apart by its type alone.
    private static void Add(Fingerprint fingerprint, MLContext mlContext, ITransformer transformer)
    {
        using var stream = new MemoryStream();
        try
        {
            mlContext.Model.Save(transformer, inputSchema: null, stream);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            fingerprint.Add(transformer.GetType().ToString());
            return;
        }
        using var zip = new ZipArchive(stream);
        foreach (var entry in zip.Entries.Where(entry => !entry.FullName.StartsWith(BuildFolder, StringComparison.Ordinal)))
        {
            fingerprint.Add(entry.FullName);
            using var content = new MemoryStream();
            using (var packed = entry.Open())
                packed.CopyTo(content);
            fingerprint.Add<byte>(content.GetBuffer().AsSpan(0, (int)content.Length));
        }
    }
}
