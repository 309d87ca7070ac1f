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
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // under nohup for instance
			signal.Notify(signals, s)
		}
	}
	done := make(chan int, 1)
	go func() { done <- run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) }()
	select {
	case status := <-done:
		os.Exit(status)
	case s := <-signals:
		stop(signalled{int(s.(syscall.Signal))})
	}
	select {
	case status := <-done:
		os.Exit(status)
	case <-signals: // a second Ctrl-C ends the program at once
	case <-time.After(grace):
	}
	fmt.Fprintln(os.Stderr, "n2g: interrupted")
	os.Exit(interrupted(ctx))
}
