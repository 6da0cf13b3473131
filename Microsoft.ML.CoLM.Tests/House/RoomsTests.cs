namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The house stands: every room uses only those below it.</summary>
[TestClass]
public sealed class RoomsTests
{
    [TestMethod]
    public void EveryRoomUsesOnlyRoomsOnLowerFloors()
    {
        var source = LibrarySource.Read();
        var uses = source.Uses.Where(use => !Rooms.MayUse(Rooms.Of(use.User), Rooms.Of(use.Used)))
            .Select(use => $"{use.User} uses {use.Used} ({use.Name})").Distinct().Order().ToArray();
        Assert.IsEmpty(uses, string.Join('\n', uses));
    }

    [TestMethod]
    public void EveryFolderIsARoom() =>
        Assert.IsEmpty(LibrarySource.Read().Files.Select(Rooms.Of).Except(Rooms.Names));

    // What is not resolved could not be found at fault.
    [TestMethod]
    public void EveryNameIsResolved()
    {
        var source = LibrarySource.Read();
        Assert.IsEmpty(source.Unresolved);
        var uses = source.Uses.ToHashSet();
        Assert.IsGreaterThan(3000, uses.Count);
        foreach (var room in Rooms.Names)
            Assert.IsTrue(uses.Any(use => Rooms.Of(use.Used) == room && Rooms.Of(use.User) != room) || room == Rooms.FrontDoor, room);
    }
}
