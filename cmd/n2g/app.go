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

	"github.com/neuron2graph/neuron2graph/n2g/process"
)

// Exit statuses.
const (
	statusOK          = 0
	statusFailed      = 1
	statusInterrupted = 130 // as a shell reports SIGINT
)

// signalled is the cause of a context that a signal ended.
type signalled struct{ number int }

func (s signalled) Error() string { return fmt.Sprintf("interrupted by signal %d", s.number) }

// interrupted is the exit status after ctx ended: that of a shell whose program died of the signal.
func interrupted(ctx context.Context) int {
	var s signalled
	if errors.As(context.Cause(ctx), &s) {
		return 128 + s.number
	}
	return statusInterrupted
}

// app is what commands need of the world.
type app struct {
	stdin    io.Reader
	stdout   io.Writer // for programs: as it is, but at a terminal
	text     io.Writer // standard output for people: what a terminal would obey is spelled out
	stderr   io.Writer // likewise
	screen   io.Writer // standard error as it is, for a bar
	terminal bool      // stderr is one
	besides  []besides // what each command's models are opened with; of the commands, one runs

	execs     []execFlags // likewise
	processes []*process.Model
}

// command is one subcommand, or several under one name. Its flags are defined by the function that makes it.
type command struct {
	name     string // all words after n2g
	short    string // one line
	long     string
	examples []string // what follows "n2g name "
	flags    *flag.FlagSet
	paths    []pathFlag        // of flags that name files and folders
	renamed  map[string]string // flags' old names, still understood, with their names
	options  []string          // names of the flags that are listed last, under their own heading
	// what stands beside the flags, such as NAME…; [NAME] where nothing need to, empty where nothing may
	operands     string
	operandsRead bool // operands are stores that are read
	rest         bool // what follows the first operand is another command, read by its own flags
	// where there are some, the next word names one; run is used, if it is there, without a next word
	commands []*command
	run      func(ctx context.Context) error
}

func newCommand(name, short string) *command {
	c := &command{name: name, short: short, flags: flag.NewFlagSet("n2g "+name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard) // run says what is wrong, once
	return c
}

// run executes the command that args name and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &watched{w: stdout}
	a := &app{stdin: interruptible(ctx, stdin), stdout: out, text: &harmless{w: out}, stderr: &harmless{w: stderr},
		screen: stderr, terminal: isTerminal(stderr)}
	if isTerminal(stdout) {
		a.stdout = a.text
	}
	err := a.dispatch(ctx, args)
	if err == nil && out.err != nil {
		err = fmt.Errorf("standard output cannot be written: %w", out.err)
	}
	switch {
	case err == nil:
		return statusOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "n2g: interrupted")
		return interrupted(ctx)
	}
	fmt.Fprintf(a.stderr, "n2g: %s\n", shortened(oneLine(err)))
	return statusFailed
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// commands in the order of the help.
func (a *app) commands() []*command {
	return []*command{
		a.explain(), a.mine(), a.index(), a.examples(), a.fires(), a.findText(), a.importPages(),
		a.runNeurons(), a.merge(), a.table(), a.search(), a.similar(), a.find(), a.export(),
		a.serve(), a.site(), a.activations(), a.predict(), a.effects(), a.ablate(), a.steer(), a.fill(), a.tokenize(),
		a.train(), a.saeCommand(),
		a.submit(), a.status(), a.task(), a.models(), a.backend(), a.version(),
	}
}

func (a *app) dispatch(ctx context.Context, args []string) error {
	commands := a.commands()
	if len(args) == 0 {
		return errors.New("say what to do: n2g help lists the commands")
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) == 1 {
			fmt.Fprint(a.text, overview(commands))
			return nil
		}
		args = append(args[1:len(args):len(args)], "-h")
	case "-version", "--version":
		args = []string{"version"}
	}
	c, rest, err := find(commands, "", args)
	if err != nil {
		return err
	}
	return a.runCommand(ctx, c, rest)
}

// find returns the command that the first words of args name, and the other words.
func find(commands []*command, prefix string, args []string) (*command, []string, error) {
	name := prefix + args[0]
	i := slices.IndexFunc(commands, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil, nil, fmt.Errorf("there is no command %q: n2g help%s lists them", name, strings.TrimRight(" "+prefix, " "))
	}
	c, rest := commands[i], args[1:]
	if len(c.commands) == 0 || len(rest) > 0 && slices.Contains([]string{"-h", "-help", "--help"}, rest[0]) ||
		c.run != nil && (len(rest) == 0 || strings.HasPrefix(rest[0], "-")) {
		return c, rest, nil
	}
	if len(rest) == 0 {
		return nil, nil, fmt.Errorf("n2g %s needs one more word: n2g help %[1]s lists which", name)
	}
	return find(c.commands, name+" ", rest)
}

func (a *app) runCommand(ctx context.Context, c *command, args []string) error {
	var err error
	if args = a.modern(c, args); c.rest {
		err = c.flags.Parse(args)
	} else {
		err = parse(c.flags, args)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(a.text, c.help())
		return nil
	case err != nil && misplaced(c, args) != nil:
		return misplaced(c, args)
	case err != nil:
		return fmt.Errorf("%w: n2g %s -h lists the flags", err, c.name)
	case c.flags.NArg() > 0 && c.operands == "":
		return fmt.Errorf("unexpected argument %q: n2g %s takes flags only, and n2g %s -h lists them", c.flags.Arg(0), c.name,
			c.name)
	case c.flags.NArg() == 0 && c.operands != "" && !strings.HasPrefix(c.operands, "["):
		return fmt.Errorf("n2g %s needs to be told what: n2g %[1]s -h shows examples", c.name)
	}
	if err := c.checkPaths(); err != nil {
		return err
	}
	return a.closeProcesses(c.run(ctx))
}

// modern is args with flags' old names replaced, and says so.
func (a *app) modern(c *command, args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		now, old := c.renamed[name]
		if !old || !strings.HasPrefix(arg, "-") {
			continue
		}
		fmt.Fprintf(a.stderr, "n2g: -%s of n2g %s is called -%s\n", name, c.name, now)
		if args[i] = "-" + now; hasValue {
			args[i] += "=" + value
		}
	}
	return args
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
