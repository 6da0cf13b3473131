using System.Text.Json.Nodes;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>A published model.</summary>
/// <param name="Name">Its name on the hub.</param>
/// <param name="Parameters">Its published number of parameters.</param>
/// <param name="Config">What its config.json says.</param>
internal sealed record FamilyModel(string Name, long Parameters, JsonObject Config);
