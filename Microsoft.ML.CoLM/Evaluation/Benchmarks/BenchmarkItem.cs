namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>An item of a published task, as a language model is asked it.</summary>
internal sealed class BenchmarkItem
{
    /// <summary>What precedes every choice; nothing where each choice has a context of its own.</summary>
    public string Context { get; init; } = "";

    /// <summary>What precedes each choice; nothing where <see cref="Context"/> precedes all.</summary>
    public string[] Contexts { get; init; } = [];

    /// <summary>The choices, without the space that parts them from the context.</summary>
    public string[] Choices { get; init; } = [];

    /// <summary>The index of the right choice.</summary>
    public int Label { get; init; }

    /// <summary>GLUE's sentence, or the first of two.</summary>
    public string Text { get; init; } = "";

    /// <summary>GLUE's second sentence.</summary>
    public string SecondText { get; init; } = "";

    /// <summary>STS-B's number.</summary>
    public float Similarity { get; init; }
}
