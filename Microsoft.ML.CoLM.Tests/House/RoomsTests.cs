namespace Microsoft.ML.CoLM.Tests.House;

/// <summary>The house stands: every room uses only those below it.</summary>
[TestClass]
public sealed class RoomsTests
{
    private static readonly Lazy<LibrarySource> Source = new(() => new LibrarySource());

    [TestMethod]
    public void EveryUsingLeadsToALowerFloor()
    {
        var usings = Source.Value.Usings.ToArray();
        Assert.IsGreaterThan(300, usings.Length);
        var wrong = usings.Where(use => !Rooms.MayUse(Rooms.Of(use.File), use.Room)).Select(use => $"{use.File} uses {use.Room}").Order();
        Assert.IsEmpty(wrong, string.Join('\n', wrong));
    }

    [TestMethod]
    public void EveryRoomUsesOnlyRoomsOnLowerFloors()
    {
        var uses = Source.Value.Uses.Where(use => !Rooms.MayUse(Rooms.Of(use.User), Rooms.Of(use.Used)))
            .Select(use => $"{use.User} uses {use.Used} ({use.Name})").Order().ToArray();
        Assert.IsEmpty(uses, string.Join('\n', uses));
    }

    [TestMethod]
    public void EveryFolderIsARoom() =>
        Assert.IsEmpty(Source.Value.Files.Select(Rooms.Of).Except(Rooms.Names));

    // What is not resolved could not be found at fault.
    [TestMethod]
    public void NamesAreResolved()
    {
        var uses = Source.Value.Uses;
        Assert.IsGreaterThan(1000, uses.Count);
        Assert.IsEmpty(Source.Value.Unresolved, string.Join('\n', Source.Value.Unresolved));
        foreach (var room in Rooms.Names)
        {
            Assert.IsTrue(uses.Any(use => Rooms.Of(use.User) != Rooms.Of(use.Used) &&
                (Rooms.Of(use.User) == room || Rooms.Of(use.Used) == room)), room);
        }
    }
}
