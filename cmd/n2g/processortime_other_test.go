//go:build !unix

package main

// processorTime is what the process has used so far, in seconds; 0 where that is not known.
func processorTime() float64 { return 0 }
