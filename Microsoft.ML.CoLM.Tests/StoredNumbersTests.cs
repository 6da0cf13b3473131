using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>Numbers that stand in zips which are there already.</summary>
[TestClass, DoNotParallelize]
public sealed class StoredNumbersTests
{
    [TestMethod]
    public void ValuesOfEnumerationsStayWhatTheyAre()
    {
        AreThese<TaskKind>("LanguageModeling 0, Features 1, MulticlassClassification 2, BinaryClassification 3, " +
            "Regression 4, Completion 5, MultipleChoice 6");
        AreThese<FeaturePooling>("Mean 0, LastToken 1");
        AreThese<LoraProjections>("None 0, Query 1, Key 2, Value 4, Output 8, Gate 16, Up 32, Down 64, All 127");
        AreThese<TuningTask>("Label 0, Completion 1, LanguageHeads 2");
        AreThese<TrainingObjective>("LastScale 0, MultiChain 1");
        AreThese<LearningRateDecay>("Cosine 0, Linear 1, None 2");
        AreThese<ChainInitialization>("Normal 0, CopyFirstChain 1");
        AreThese<FinishReason>("EndOfText 0, StopText 1, StopToken 2, Length 3");
        // Parts of the names of adapters' tensors.
        AreThese<Projection>("Query 0, Key 1, Value 2, Output 3, Gate 4, Up 5, Down 6");
    }

    private static void AreThese<T>(string expected)
        where T : struct, Enum
    {
        var values = Enum.GetValues<T>().Select(value => $"{value} {Convert.ToInt32(value, null)}");
        Assert.AreEqual(expected, string.Join(", ", values));
    }
}
