package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Exit statuses.
const (
	statusOK          = 0
	statusFailed      = 1
	statusInterrupted = 130 // as a shell reports SIGINT
)

// app is what commands need of the world.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	terminal       bool // stderr is one
}

// command is one subcommand. Its flags are defined by the function that makes it.
type command struct {
	name     string
	argument string // after the flags; empty for none
	short    string // one line
	long     string
	examples []string // what follows "n2g name "
	flags    *flag.FlagSet
	options  []string // names of the flags that are listed last, under their own heading
	run      func(ctx context.Context, args []string) error
}

func newCommand(name, short string) *command {
	c := &command{name: name, short: short, flags: flag.NewFlagSet(name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard) // run says what is wrong, once
	return c
}

// run executes the command that args name and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: interruptible(ctx, stdin), stdout: stdout, stderr: stderr}
	if file, ok := stderr.(*os.File); ok {
		a.terminal = term.IsTerminal(int(file.Fd()))
	}
	err := a.dispatch(ctx, args)
	switch {
	case err == nil:
		return statusOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "n2g: interrupted")
		return statusInterrupted
	}
	fmt.Fprintf(stderr, "n2g: %s\n", oneLine(err))
	return statusFailed
}

// commands in the order of the help.
func (a *app) commands() []*command {
	return []*command{
		a.explain(), a.activations(), a.fill(), a.tokenize(), a.models(), a.backend(), a.version(),
	}
}

func (a *app) dispatch(ctx context.Context, args []string) error {
	commands := a.commands()
	if len(args) == 0 {
		return errors.New("say what to do: n2g help lists the commands")
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			fmt.Fprint(a.stdout, overview(commands))
			return nil
		}
		name, rest = rest[0], []string{"-h"}
	case "-version", "--version":
		name = "version"
	}
	i := slices.IndexFunc(commands, func(c *command) bool { return c.name == name })
	if i < 0 {
		return fmt.Errorf("there is no command %q: n2g help lists them", name)
	}
	return a.runCommand(ctx, commands[i], rest)
}

func (a *app) runCommand(ctx context.Context, c *command, args []string) error {
	err := c.flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(a.stdout, c.help())
		return nil
	case err != nil:
		return fmt.Errorf("%w: n2g %s -h lists the flags", err, c.name)
	case c.argument == "" && c.flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: n2g %s takes flags only, and n2g %s -h lists them", c.flags.Arg(0), c.name, c.name)
	}
	return c.run(ctx, c.flags.Args())
}

// oneLine is the error without line ends, which a sentence does not have.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// interruptible stops a read that waits, at a terminal for instance, when ctx ends.
func interruptible(ctx context.Context, r io.Reader) io.Reader { return &interruptibleReader{ctx, r} }

type interruptibleReader struct {
	ctx    context.Context
	reader io.Reader
}

func (r *interruptibleReader) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	buffer := make([]byte, len(p)) // p is the caller's again once Read has returned
	go func() {
		n, err := r.reader.Read(buffer)
		done <- result{n, err}
	}()
	select {
	case read := <-done:
		return copy(p, buffer[:read.n]), read.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
