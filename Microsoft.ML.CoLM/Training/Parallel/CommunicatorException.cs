using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Thrown when ranks can no longer work together: one failed, left, or did not come within the time limit.
/// </summary>
/// <remarks>
/// The communicator is of no further use: every later call throws the same. End the process with an exit code other than 0, so
/// that the program that started the ranks ends the others, too. A training continues from its last checkpoint.
/// </remarks>
public sealed class CommunicatorException : IOException
{
    internal CommunicatorException(IReadOnlyList<int> ranks, string message) : base(message) => Ranks = new ItemList<int>(ranks);

    /// <summary>The ranks that failed, left or did not come; empty if it cannot be told which.</summary>
    public IReadOnlyList<int> Ranks { get; }
}
