using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.CoLM.Tests.Sweeping;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>
/// The tests run in a test host; as a program of its own this is what one of them starts: the training, the
/// save or the sweep that it kills, or a test that takes a process of its own.
/// </summary>
internal static class Program
{
    public static void Main(string[] arguments)
    {
        if (arguments is [KilledSave.Kind, var path])
            KilledSave.Save(path);
        else if (arguments is [KilledSweep.Kind, var folder])
            KilledSweep.Sweep(folder);
        else if (arguments is [FreshProcess.Kind, var className, var testName, .. var row])
            FreshProcess.Run(className, testName, row);
        else
            KilledTraining.Train(kind: arguments[0], checkpointFolder: arguments[1], weightsFile: arguments[2]);
    }
}
