using System.Buffers;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Turns the tokens that continue a prompt into text, one after another. What it writes in all is what decoding all
/// tokens adds to decoding the prompt; it never writes part of a character.
/// </summary>
internal interface IDetokenizer
{
    /// <summary>Writes the characters that a token completes.</summary>
    void Append(int token, IBufferWriter<char> text);

    /// <summary>Writes what stands for the beginning of a character that no token will complete.</summary>
    void Complete(IBufferWriter<char> text);
}
