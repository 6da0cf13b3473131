namespace Microsoft.ML.CoLM;

/// <summary>Published benchmarks for language models.</summary>
public enum LanguageBenchmark
{
    /// <summary>HellaSwag: how a scene continues.</summary>
    HellaSwag,

    /// <summary>OpenBookQA: elementary science.</summary>
    OpenBookQA,

    /// <summary>ARC-Easy: grade-school science.</summary>
    ArcEasy,

    /// <summary>ARC-Challenge: the harder questions.</summary>
    ArcChallenge,

    /// <summary>WinoGrande: what a gap refers to.</summary>
    WinoGrande,

    /// <summary>BoolQ: yes or no about a passage.</summary>
    BoolQ,

    /// <summary>PIQA: everyday physics.</summary>
    Piqa,

    /// <summary>SciQ: science with a passage.</summary>
    SciQ,

    /// <summary>GLUE's CoLA: whether a sentence is acceptable.</summary>
    Cola,

    /// <summary>GLUE's SST-2: sentiment.</summary>
    Sst2,

    /// <summary>GLUE's MRPC: whether two sentences mean the same.</summary>
    Mrpc,

    /// <summary>GLUE's QQP: whether two questions ask the same.</summary>
    Qqp,

    /// <summary>GLUE's MNLI: entailment, three ways.</summary>
    Mnli,

    /// <summary>GLUE's QNLI: whether a sentence answers a question.</summary>
    Qnli,

    /// <summary>GLUE's RTE: entailment.</summary>
    Rte,

    /// <summary>GLUE's WNLI: what a pronoun refers to.</summary>
    Wnli,

    /// <summary>GLUE's STS-B: how similar two sentences are, as a number.</summary>
    StsB,
}
