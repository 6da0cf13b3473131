using System.Reflection;
using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>What goes wrong without the program being wrong.</summary>
internal static class Errors
{
    public static bool AreExpected(Exception error) => error is ArgumentException or IOException
        or UnauthorizedAccessException or InvalidDataException or InvalidOperationException or NotSupportedException
        or DllNotFoundException or FormatException or NonFiniteLossException or TargetInvocationException
        or TypeInitializationException;

    /// <summary>What it says, without what .NET wraps around it.</summary>
    public static string MessageOf(Exception error)
    {
        for (var inner = error; inner is not null; inner = inner.InnerException)
        {
            if (inner is TargetInvocationException or TypeInitializationException)
                error = inner.InnerException ?? inner;
        }
        return error.Message;
    }
}
