[assembly: DoNotParallelize] // libtorch already uses every core, and its tensor counts are per process.
