namespace Microsoft.ML.CoLM.Interop;

/// <summary>
/// The longest file of each kind that is read whole, in bytes: in folders, in zips and in streams alike. Each is several
/// times what the largest models have, and little beside the memory of any machine.
/// </summary>
/// <remarks>Weights have no limit here: a header tells their length, which must be the file's and the configuration's.</remarks>
internal static class FileLimits
{
    private const long Mebibyte = 1 << 20;

    /// <summary><c>config.json</c>; a few kilobytes in LLaMA's folders.</summary>
    public const long ConfigJson = Mebibyte;

    /// <summary><c>tokenizer.json</c>; 17 MB in Llama 3's folders, 33 MB with 262,000 tokens.</summary>
    public const long TokenizerJson = 64 * Mebibyte;

    /// <summary><c>tokenizer.model</c>; 0.5 MB in LLaMA's folders, 4 MB with 256,000 tokens.</summary>
    public const long TokenizerModel = 32 * Mebibyte;

    /// <summary><c>added_tokens.json</c>; a few hundred bytes in Vicuna's folders.</summary>
    public const long AddedTokens = 8 * Mebibyte;

    /// <summary><c>tokenizer_config.json</c> and <c>special_tokens_map.json</c>; 50 KB in Llama 3's folders.</summary>
    public const long TokenizerConfig = 8 * Mebibyte;

    /// <summary>
    /// A file that goes with a model unread, such as <c>vocab.json</c>; 3 MB in Llama 3's time, 8 MB with 262,000 tokens.
    /// </summary>
    public const long KeptFile = 32 * Mebibyte;

    /// <summary><c>model.safetensors.index.json</c>; 0.1 MB for 405 billion parameters.</summary>
    public const long ShardIndex = 8 * Mebibyte;

    /// <summary>The header of a safetensors file; the format itself allows 100 MB, and 0.2 MB are much.</summary>
    public const long SafetensorsHeader = 8 * Mebibyte;

    /// <summary>
    /// The header of <c>task-head.safetensors</c>, which has the names of a task's classes: a million of 40 characters.
    /// </summary>
    public const long TaskHeadHeader = 64 * Mebibyte;

    /// <summary><c>colm-save.json</c>, an interrupted save's plan: two names for each chain.</summary>
    public const long SavePlan = Mebibyte;

    /// <summary>A training checkpoint's JSON: a name and a number for each tensor, and a random state.</summary>
    public const long CheckpointRecord = 8 * Mebibyte;

    /// <summary>A training checkpoint's checksums: two lines.</summary>
    public const long CheckpointSums = 1000;

    /// <summary>A published task's file of lines, of which one at a time is read: MNLI's longest has 0.3 GB.</summary>
    public const long TaskLines = 1024 * Mebibyte;

    /// <summary>A published task's file that is one JSON array; SciQ's longest has 7 MB.</summary>
    public const long TaskArray = 64 * Mebibyte;

    /// <summary>An item of a published task: a line, or an element of an array; some kilobytes where it has a passage.</summary>
    public const long TaskItem = Mebibyte;

    /// <summary><c>sweep.json</c>, what a sweep is: a text for each of its settings, and of its space.</summary>
    public const long SweepHeader = 8 * Mebibyte;

    /// <summary><c>sweep-trials.jsonl</c>: a kilobyte for each trial, and a message of four for one that failed.</summary>
    public const long SweepTrials = 512 * Mebibyte;
}
