using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Makes the detokenizer that suits a tokenizer.</summary>
internal static class Detokenizer
{
    /// <summary>Begins after a prompt.</summary>
    public static IDetokenizer Create(Tokenizer tokenizer, IReadOnlyList<int> prompt) =>
        tokenizer is ModelTokenizer model
            ? new ModelDetokenizer(model, prompt)
            : new WindowDetokenizer(tokenizer, prompt);
}
