using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// Things that take turns in one run, so that a slow moment of the machine falls on all of them alike.
/// </summary>
/// <param name="device">Where they work; work on a GPU is waited for.</param>
internal sealed class Race(Device device)
{
    // A turn this long is measured well by the clock, and short enough that the neighbours in a round meet the same
    // machine.
    private const double TurnMilliseconds = 10;
    private const int MaximumRepeats = 1000;
    private const int WarmUps = 3;
    private const double WarmUpMilliseconds = 1000;

    private readonly List<(string Name, Action Run)> _entries = [];

    /// <summary>Enters a thing; short ones are run several times in a turn.</summary>
    public void Enter(string name, Action run) => _entries.Add((name, run));

    /// <summary>Warms up, then gives each its turns.</summary>
    /// <returns>Milliseconds of one run of each thing, round by round.</returns>
    public Dictionary<string, Samples> Run(int rounds)
    {
        var repeats = _entries.ConvertAll(entry => Repeats(entry.Run));
        var times = _entries.ConvertAll(_ => new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            // Every other round goes backwards: nobody always comes behind the same one.
            for (var i = 0; i < _entries.Count; i++)
            {
                var turn = round % 2 == 0 ? i : _entries.Count - 1 - i;
                times[turn].Add(Time(_entries[turn].Run, repeats[turn]));
            }
        }
        return _entries.Zip(times).ToDictionary(pair => pair.First.Name, pair => new Samples(pair.Second));
    }

    private int Repeats(Action run)
    {
        var (time, all) = (0.0, 0.0);
        for (var i = 0; i < WarmUps && all < WarmUpMilliseconds; i++)
            all += time = Time(run, repeats: 1);
        return (int)Math.Clamp(TurnMilliseconds / time, 1, MaximumRepeats);
    }

    private double Time(Action run, int repeats)
    {
        Synchronize();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < repeats; i++)
            run();
        Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / repeats;
    }

    private void Synchronize()
    {
        if (device.type == DeviceType.CUDA)
            cuda.synchronize(device);
    }
}
