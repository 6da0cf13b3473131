using System.Reflection;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Cancels an MLContext's execution, as hosts of ML.NET do: its method is not public.</summary>
internal static class Cancellation
{
    public static void CancelExecution(this MLContext mlContext) => typeof(MLContext)
        .GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
        .Invoke(mlContext, null);
}
