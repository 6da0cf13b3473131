namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>An estimator of somebody else's, which does what a test wants of it.</summary>
internal sealed class FakeEstimator(Func<IDataView, ITransformer> fit) : IEstimator<ITransformer>
{
    public ITransformer Fit(IDataView input) => fit(input);

    public SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema;

    /// <summary>One that throws.</summary>
    public static FakeEstimator Throwing(Exception exception) => new(_ => throw exception);

    /// <summary>One that waits until its token ends it, and throws then.</summary>
    public static FakeEstimator Waiting(CancellationToken cancellationToken) => new(_ =>
    {
        cancellationToken.WaitHandle.WaitOne();
        throw new OperationCanceledException(cancellationToken);
    });
}
