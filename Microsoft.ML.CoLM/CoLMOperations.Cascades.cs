namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>Finds the thresholds of a cascade that keep the metric at the least cost.</summary>
    public CascadeCalibration CalibrateCascade(
        ITransformer model, IDataView data, double tolerance, CascadeCalibrationOptions? options = null) =>
        throw new NotImplementedException();
}
