namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The library's folders, each a room, and the floor it stands on: a room uses only rooms on lower floors.</summary>
internal static class Rooms
{
    /// <summary>The files beside the rooms: the front door.</summary>
    public const string FrontDoor = "";

    private static readonly Dictionary<string, int> Floors = new()
    {
        [FrontDoor] = 8,
        ["Sweeping"] = 7,
        ["Estimators"] = 6,
        ["Training"] = 5,
        ["Generation"] = 4,
        ["Evaluation"] = 4,
        ["Inference"] = 3,
        ["Checkpoints"] = 3,
        ["Tokenizers"] = 2,
        ["Modules"] = 2,
        ["Kernels"] = 1,
        ["Chains"] = 1,
        ["Interop"] = 0,
        ["Text"] = 0,
    };

    /// <summary>All of them.</summary>
    public static IEnumerable<string> Names => Floors.Keys;

    /// <summary>The room of a file, by its path below the library's folder.</summary>
    public static string Of(string path) => Path.GetDirectoryName(path) is { Length: > 0 } folder
        ? folder.Split(Path.DirectorySeparatorChar)[0] : FrontDoor;

    /// <summary>Whether what stands in one room may use what stands in another.</summary>
    public static bool MayUse(string user, string used) => user == used || Floors[used] < Floors[user];
}
