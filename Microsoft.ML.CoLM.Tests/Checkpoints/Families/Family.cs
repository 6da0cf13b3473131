using System.Text.Json.Nodes;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>Checkpoints of one origin, which share a tokenizer's shape.</summary>
/// <param name="Name">What people call them.</param>
/// <param name="Models">Published models.</param>
/// <param name="Files">The tokenizer's files, as <c>References/references.json</c> has them.</param>
/// <param name="Ids">What transformers made of each of <see cref="FamilyList.Texts"/>.</param>
/// <param name="Decoded">What it made of these ids, by the text's index, where that is another text.</param>
/// <param name="Note">What else to know; empty for nothing.</param>
internal sealed record Family(
    string Name, IReadOnlyList<FamilyModel> Models, JsonObject Files, int[][] Ids, Dictionary<string, string> Decoded, string Note);
