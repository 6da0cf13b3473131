namespace DistributedSample;

/// <summary>How the program is started on clusters.</summary>
internal static class ClusterHelp
{
    public const string Text = """
        Grows a language model by a chain that several processes train together, over MPI. Without arguments, two of them on
        this machine, on QuickStart's stories. Started by an MPI launcher, each process is a rank:

          several machines   mpirun --hostfile HOSTS --map-by ppr:1:node --bind-to none -x OMP_NUM_THREADS=16 \
                               PROGRAM --model FOLDER --train FILE --validation FILE
                             HOSTS has a line "name slots=1" for each machine; ssh reaches them without a password.
          Slurm              srun --mpi=pmix -N 4 --ntasks-per-node=1 --cpus-per-task=16 --kill-on-bad-exit=1 \
                               PROGRAM --model FOLDER --train FILE --validation FILE
                             With export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK; or sbatch a script with the mpirun line.
          Kubernetes         The MPI operator's MPIJob (kubeflow.org/v2beta1): an image with openmpi-bin, openssh-server and
                             PROGRAM; slotsPerWorker: 1; launcher command: ["mpirun", "--bind-to", "none", "PROGRAM", ...].

        FOLDER and the texts are read on every machine; --checkpoints and --out are rank 0's. PROGRAM is what
        "dotnet publish -c Release samples/Distributed" writes. Ranks times threads should not exceed the cores.
        """;
}
