// Package queue merges the work of concurrent callers into batches: what waits when a worker becomes free runs
// together.
//
// Nobody waits for company. A lone caller's work starts at once, and batches grow by themselves as soon as callers are
// more than workers. Callers take turns: whoever has waited longest since its last piece ran comes first, so that a
// small call passes a huge one after one batch.
//
// A queue has no goroutine while nothing waits.
package queue
