using System.Diagnostics;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>
/// Has inputs read that may be damaged in any way, and looks what that does: each ends soon, in an answer or in an
/// exception of the documented kinds, and takes no memory that it does not need.
/// </summary>
internal static class Fuzzer
{
    private const long MostAllocated = 160L << 20;
    private const long MostResident = 512L << 20;
    private const int InputsBetweenLooks = 50;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Reads many inputs.</summary>
    /// <param name="format">What is read, for messages and the seeds.</param>
    /// <param name="count">How many.</param>
    /// <param name="read">
    /// Makes an input with the random numbers, reads it and tells whether it was taken for whole. Assertions of what it
    /// gave belong into it, too.
    /// </param>
    /// <param name="documented">What it may throw, or what that derives from.</param>
    public static void Run(string format, int count, Func<Random, bool> read, params Type[] documented)
    {
        var (number, began, whole) = (-1, Stopwatch.GetTimestamp(), 0);
        Exception? failure = null;
        var resident = 0L;
        // A thread of its own, which may be left behind where it hangs.
        var thread = new Thread(() =>
        {
            try
            {
                for (var input = 0; input < count; input++)
                {
                    (number, began) = (input, Stopwatch.GetTimestamp());
                    whole += ReadOne(read, input, documented) ? 1 : 0;
                    if (input == InputsBetweenLooks)
                        resident = Environment.WorkingSet; // what is needed is loaded now
                    if (input > InputsBetweenLooks && input % InputsBetweenLooks == 0)
                        Assert.IsLessThan(MostResident, Environment.WorkingSet - resident, "Memory grows.");
                }
            }
            catch (Exception e)
            {
                failure = e;
            }
        })
        { IsBackground = true };
        thread.Start();
        while (!thread.Join(TimeSpan.FromMilliseconds(200)))
        {
            if (Stopwatch.GetElapsedTime(began) > Patience)
                Assert.Fail($"{format}: input {number} takes longer than {Patience}.");
        }
        if (failure is not null)
            Assert.Fail($"{format}: input {number}: {failure}");
        Console.WriteLine($"{format}: {count} inputs, {count - whole} refused, {whole} taken for whole");
    }

    private static bool ReadOne(Func<Random, bool> read, int input, Type[] documented)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            return read(new Random(input));
        }
        catch (Exception e) when (documented.Any(type => type.IsInstanceOfType(e)))
        {
            Assert.IsNotEmpty(e.Message);
            return false;
        }
        finally
        {
            Assert.IsLessThan(MostAllocated, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }
}
