// Package engine runs models: it answers what [Causal] and [Masked] models compute on prompts, with no work that nobody
// reads, on any backend.
//
// The prompts of a call are put into groups that share the rows of equal prefixes (forest.go), which run beside those
// of other callers (schedule.go, package queue) in one of two ways, behind one interface: by the processor's own
// kernels (kernels*.go, package kernels) or as compiled programs (program*.go, package transformer). Both look
// parameters up through [Parameters], which reads each from the files when it is first needed.
package engine
