namespace Microsoft.ML.CoLM.Training;

/// <summary>Whether, and how, a training is to end before its last step; of several requests the greatest counts.</summary>
internal enum StopRequest
{
    None = 0,

    /// <summary>After the current row or step, with the model as it is then.</summary>
    Stop = 1,

    /// <summary>Without a model, as ML.NET's own trainers end where the MLContext's execution is cancelled.</summary>
    Cancel = 2,
}
