using System.Security.Cryptography;
using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace ClusterSample;

/// <summary>A model's zip, loaded.</summary>
internal sealed class ModelFile : IDisposable
{
    private ModelFile(MLContext mlContext, string path, string hash, ITransformer model) =>
        (MLContext, Path, Hash, Model) = (mlContext, path, hash, model);

    /// <summary>Whose components the model's are.</summary>
    public MLContext MLContext { get; }

    /// <summary>The zip.</summary>
    public string Path { get; }

    /// <summary>SHA-256 of the zip, as hexadecimal digits: what says which model it is.</summary>
    public string Hash { get; }

    /// <summary>The pipeline in it.</summary>
    public ITransformer Model { get; }

    /// <summary>The one transformer of the library in the pipeline.</summary>
    public ElasticScoringTransformer Scorer => Find(Model)!;

    /// <summary>Reads a zip.</summary>
    /// <exception cref="InvalidDataException">It holds no model of the library.</exception>
    /// <exception cref="NotSupportedException">What it does to a row depends on other rows.</exception>
    public static ModelFile Load(string path, CancellationToken cancellationToken = default)
    {
        var mlContext = new MLContext(seed: 1);
        string hash;
        ITransformer model;
        // Open until the model is loaded, so that nothing is written into it meanwhile.
        using (var file = File.OpenRead(path))
        {
            hash = Convert.ToHexStringLower(SHA256.HashData(file));
            model = mlContext.CoLM().Load(path, out _, cancellationToken);
        }
        try
        {
            if (Find(model) is null)
                throw new InvalidDataException($"{path}: the zip holds no model of this library, found {model.GetType().Name}.");
            if (!model.IsRowToRowMapper)
                throw new NotSupportedException($"{path}: the pipeline does not map each row by itself, so it cannot be given blocks.");
            return new(mlContext, path, hash, model);
        }
        catch
        {
            (model as IDisposable)?.Dispose();
            throw;
        }
    }

    public void Dispose() => (Model as IDisposable)?.Dispose();

    private static ElasticScoringTransformer? Find(ITransformer model) => model switch
    {
        ElasticScoringTransformer scorer => scorer,
        IEnumerable<ITransformer> chain => chain.Select(Find).FirstOrDefault(found => found is not null),
        _ => null,
    };
}
