namespace Microsoft.ML.CoLM.Modules;

/// <summary>The seven matrices of a decoder layer.</summary>
internal enum Projection
{
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
}
