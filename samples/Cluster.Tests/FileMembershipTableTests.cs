using System.Net;
using ClusterSample.Membership;



namespace ClusterSample.Tests;

// What Orleans offers in their place calls these.
#pragma warning disable CS0618

[TestClass]
public sealed class FileMembershipTableTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("colm-membership-").FullName;

    [TestCleanup]
    public void Delete() => Directory.Delete(_folder, recursive: true);

    [TestMethod]
    public async Task WhoeverReadAnOlderTableChangesNothing()
    {
        var table = Open();
        var version = (await table.ReadAll()).Version;
        Assert.IsTrue(await table.InsertRow(Silo(1), version.Next()));
        Assert.IsFalse(await table.InsertRow(Silo(2), version.Next()));

        var read = await table.ReadAll();
        var (silo, etag) = read.Members.Single();
        Assert.IsFalse(await table.InsertRow(Silo(1), read.Version.Next()));
        silo.Status = SiloStatus.Dead;
        silo.AddSuspector(Silo(2).SiloAddress, DateTime.UtcNow);
        Assert.IsTrue(await table.UpdateRow(silo, etag, read.Version.Next()));
        Assert.IsFalse(await table.UpdateRow(silo, etag, read.Version.Next()));

        var (found, _) = (await Open().ReadRow(silo.SiloAddress)).Members.Single();
        Assert.AreEqual(silo.ToFullString(), found.ToFullString());
    }

    [TestMethod]
    public async Task ASignOfLifeChangesNoVersion()
    {
        var table = Open();
        await table.InsertRow(Silo(1), (await table.ReadAll()).Version.Next());
        var before = await table.ReadAll();
        var alive = Silo(1);
        alive.IAmAliveTime = DateTime.UtcNow.AddMinutes(1);

        await table.UpdateIAmAlive(alive);

        var after = await table.ReadAll();
        Assert.AreEqual(before.Version.VersionEtag, after.Version.VersionEtag);
        Assert.AreEqual(before.Members.Single().Item2, after.Members.Single().Item2);
        Assert.AreEqual(alive.IAmAliveTime, after.Members.Single().Item1.IAmAliveTime);
    }

    [TestMethod, Timeout(30_000)]
    public async Task OfManyThatChangeItAtOnceNoneIsLost()
    {
        await Task.WhenAll(Enumerable.Range(1, 16).Select(number => Task.Run(async () =>
        {
            var table = Open();
            while (!await table.InsertRow(Silo(number), (await table.ReadAll()).Version.Next()))
            {
            }
        })));

        var read = await Open().ReadAll();
        Assert.HasCount(16, read.Members);
        Assert.AreEqual(16, read.Version.Version);
    }

    private FileMembershipTable Open() => new(new MembershipFile(Path.Combine(_folder, "membership.json")));

    private static MembershipEntry Silo(int number) => new()
    {
        SiloAddress = SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 1000 + number), 1),
        Status = SiloStatus.Active,
        ProxyPort = 2000 + number,
        HostName = "here",
        SiloName = $"silo {number}",
        StartTime = DateTime.UtcNow,
        IAmAliveTime = DateTime.UtcNow,
    };
}
