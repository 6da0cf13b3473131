namespace Microsoft.ML.CoLM;

/// <summary>The weight matrices of a decoder layer that get adapters.</summary>
[Flags]
public enum LoraProjections
{
    /// <summary>None, which is rejected.</summary>
    None = 0,

    /// <summary><c>q_proj</c>.</summary>
    Query = 1,

    /// <summary><c>k_proj</c>, for chains with their own keys.</summary>
    Key = 2,

    /// <summary><c>v_proj</c>, for chains with their own values.</summary>
    Value = 4,

    /// <summary><c>o_proj</c>.</summary>
    Output = 8,

    /// <summary><c>gate_proj</c>.</summary>
    Gate = 16,

    /// <summary><c>up_proj</c>.</summary>
    Up = 32,

    /// <summary><c>down_proj</c>.</summary>
    Down = 64,

    /// <summary>All seven.</summary>
    All = Query | Key | Value | Output | Gate | Up | Down,
}
