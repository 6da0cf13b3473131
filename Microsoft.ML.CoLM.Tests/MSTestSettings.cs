// Classes that touch torch say DoNotParallelize: libtorch uses every core already, and its tensor counts are per process. So do
// those that measure time. The others, of plain C#, run beside each other.
[assembly: Parallelize(Workers = 0, Scope = ExecutionScope.ClassLevel)]
