namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A column of a GLUE task's files.</summary>
/// <param name="Place">Its place from 0 in the published file; -1 for the last.</param>
/// <param name="Names">Its name in the published header, and in exports of JSON lines.</param>
internal sealed record GlueColumn(int Place, params string[] Names);
