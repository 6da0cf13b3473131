using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace ForgettingStudy;

/// <summary>What the command line asked for.</summary>
/// <param name="Files">The base and the texts.</param>
/// <param name="Chains">Attention heads of each added chain.</param>
/// <param name="KvSharing">Whether the added chains read the base's keys and values.</param>
/// <param name="Initialization">What the added chains start as.</param>
/// <param name="ExpansionSteps">Steps of the added chains' training on stories.</param>
/// <param name="Rows">How many first rows to tune on; null for all.</param>
/// <param name="Epochs">Passes over them.</param>
/// <param name="Batch">Rows of a step.</param>
/// <param name="LearningRate">The learning rate of every method; null for each one's own.</param>
/// <param name="Rates">Learning rates to choose from, for each method; empty chooses none.</param>
/// <param name="Poolings">What the label is read from, to choose from in the same way.</param>
/// <param name="HeadRates">How many times the learning rate the label's head has, to choose from in the same way.</param>
/// <param name="WeightDecays">AdamW's decays, to choose from in the same way.</param>
/// <param name="LabelSmoothings">Shares of a label that are spread over both, to choose from in the same way.</param>
/// <param name="TrialRows">Rows that each of them is tried on.</param>
/// <param name="RestoresBest">Whether a run ends with the weights of its best validation.</param>
/// <param name="LeavesOutOverlap">Whether training rows that contain judged ones are left out, instead of refused.</param>
/// <param name="DataType">The type that models are tuned in.</param>
/// <param name="LoraRank">Rank of adapters.</param>
/// <param name="LoraAlpha">Their alpha.</param>
/// <param name="Validations">Validations of an epoch.</param>
/// <param name="FeatureMemory">MiB of memory for features of frozen chains.</param>
/// <param name="FeatureDisk">MiB of disk for them, beside it.</param>
/// <param name="Seeds">How many seeds, from 1 on.</param>
/// <param name="AtOnce">Runs at a time, each with its share of the cores.</param>
/// <param name="Methods">The methods.</param>
/// <param name="Out">The Markdown file to write.</param>
/// <param name="Json">The file of all runs.</param>
/// <param name="Chart">The picture to write.</param>
internal sealed record Settings(
    InputFiles Files, string Chains, bool KvSharing, ChainInitialization Initialization, int ExpansionSteps, int? Rows,
    int Epochs, int Batch, double? LearningRate, double[] Rates, FeaturePooling[] Poolings,
    double[] HeadRates, double[] WeightDecays, double[] LabelSmoothings, int TrialRows, bool RestoresBest, bool LeavesOutOverlap,
    ScalarType DataType, int LoraRank, double LoraAlpha,
    int Validations, int FeatureMemory, int FeatureDisk, int Seeds, int AtOnce, Method[] Methods, string Out, string Json, string Chart)
{
    /// <summary>The command that asks for it, for the table.</summary>
    public required string Command { get; init; }
}
