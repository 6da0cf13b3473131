namespace Microsoft.ML.CoLM;

/// <summary>Why generation ended.</summary>
public enum FinishReason
{
    /// <summary>The model generated one of its end-of-text tokens (<see cref="CoLMModel.EndTokenIds"/>).</summary>
    EndOfText = 0,

    /// <summary>The text reached one of <see cref="GenerationOptions.StopTexts"/>.</summary>
    StopText = 1,

    /// <summary>The model generated one of <see cref="GenerationOptions.StopTokenIds"/>.</summary>
    StopToken = 2,

    /// <summary>
    /// <see cref="GenerationOptions.MaxNewTokens"/> tokens were generated, or prompt and text fill the model's context.
    /// </summary>
    Length = 3,
}
