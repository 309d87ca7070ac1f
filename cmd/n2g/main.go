// Command n2g finds out what single neurons of a language model do. Run n2g help.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long a command may take to stop after Ctrl-C: a model call that has begun runs to its end.
const grace = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	done := make(chan int, 1)
	go func() { done <- run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) }()
	select {
	case status := <-done:
		os.Exit(status)
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends the program at once
	select {
	case status := <-done:
		os.Exit(status)
	case <-time.After(grace):
		fmt.Fprintln(os.Stderr, "n2g: interrupted")
		os.Exit(statusInterrupted)
	}
}
