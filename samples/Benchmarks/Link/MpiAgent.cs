using System.Runtime.Versioning;

namespace Benchmarks.Link;

/// <summary>Files and settings by which Open MPI starts ranks at both ends of a link, in turns, and uses nothing but the link.</summary>
[SupportedOSPlatform("linux")]
internal sealed class MpiAgent : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("colm-link-");

    /// <param name="here">The address of the end at which mpirun runs.</param>
    /// <param name="there">The other's.</param>
    /// <param name="space">The other's namespace.</param>
    /// <param name="network">Both addresses' network.</param>
    public MpiAgent(string here, string there, string space, string network)
    {
        var script = Path.Combine(_folder.FullName, "agent.sh");
        // Called with a host and a command, as rsh is.
        File.WriteAllText(script, $"#!/bin/bash\nshift\nexec ip netns exec {space} bash -c \"$*\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var hosts = Path.Combine(_folder.FullName, "hosts");
        File.WriteAllText(hosts, $"{here} slots=1\n{there} slots=1\n");
        // What mpirun's own options say otherwise comes first.
        Environment = new()
        {
            ["COLM_LINK_AGENT"] = script,
            ["OMPI_ALLOW_RUN_AS_ROOT"] = "1",
            ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1",
            ["OMPI_MCA_plm_rsh_agent"] = script,
            ["OMPI_MCA_orte_default_hostfile"] = hosts,
            ["OMPI_MCA_pml"] = "ob1",
            ["OMPI_MCA_btl"] = "tcp,self",
            ["OMPI_MCA_btl_tcp_if_include"] = network,
            ["OMPI_MCA_oob_tcp_if_include"] = network,
            ["OMPI_MCA_rmaps_base_mapping_policy"] = "node",
            ["OMPI_MCA_rmaps_base_oversubscribe"] = "1", // more than one rank an end
            ["OMPI_MCA_hwloc_base_binding_policy"] = "none", // both ends would bind their first rank to the first core
        };
    }

    public Dictionary<string, string> Environment { get; }

    public void Dispose() => _folder.Delete(recursive: true);
}
