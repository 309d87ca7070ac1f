// Package cluster runs n2g mine and n2g run as many tasks of a scheduler that is there: arrays of SLURM, Indexed Jobs
// of Kubernetes. It schedules nothing itself.
//
// A [Job] lives in a folder that all machines see. Its [Stage]s follow one another: parts of the corpus are mined, the
// parts' index joined, parts of the neurons explained, their stores joined. [Task] runs one part: it works in a folder
// of its own machine, takes up what an earlier attempt left, and moves the result to the job's folder when it is whole,
// so that running any part again, or twice at once, changes nothing. [Scripts] and [Manifest] are what the schedulers
// are given, and [ReadStatus] tells from the folder alone what is done.
package cluster
