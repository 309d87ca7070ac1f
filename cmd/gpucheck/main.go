package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// settings are what every part is told.
type settings struct {
	backend string // that is checked
	golden  string // folder of the golden models
	quick   bool   // sizes at which figures mean nothing, to try the command itself
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], parts(), os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run checks, or is one part of a check, and returns the exit status.
func run(ctx context.Context, args []string, parts []part, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("gpucheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.backend, "backend", backends.XLACUDA, "`BACKEND` to check: xla:cuda, xla:cpu or go")
	flags.StringVar(&s.golden, "golden", defaultGolden(), "`FOLDER` of the golden models")
	flags.BoolVar(&s.quick, "quick", false, "measure speed with tiny models, to try this command")
	report := flags.String("o", "gpu-check.md",
		"`FILE` that gets the report; what processes say goes into a .log beside it")
	limit := flags.Duration("limit", 9*time.Minute+30*time.Second,
		"`TIME` for everything; what has not begun by then is left out")
	only := flags.String("only", "", "comma-separated `PREFIXES` of the parts to run: golden,speed")
	name := flags.String("part", "", "run this `PART` alone in this process, and print what it finds as JSON")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "gpucheck: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	if *name != "" {
		return runPart(ctx, s, *name, parts, stdout, stderr)
	}
	if *only != "" {
		parts = slices.DeleteFunc(parts, func(p part) bool {
			return p.name != backendPart && !slices.ContainsFunc(strings.Split(*only, ","),
				func(prefix string) bool { return strings.HasPrefix(p.name, prefix) })
		})
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	ok, err := supervise(ctx, s, parts, *report, stdout)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "gpucheck: %v\n", err)
		return 1
	case !ok:
		return 1
	}
	return 0
}

// runPart runs one part in this process.
func runPart(ctx context.Context, s settings, name string, parts []part, stdout, stderr io.Writer) int {
	i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if i < 0 {
		fmt.Fprintf(stderr, "gpucheck: there is no part %q\n", name)
		return 2
	}
	encoder := json.NewEncoder(stdout)
	err := parts[i].run(ctx, s, func(f finding) error { return encoder.Encode(f) })
	if err != nil {
		fmt.Fprintf(stderr, "gpucheck: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		return 1
	}
	return 0
}

// defaultGolden is the folder golden beside the binary or, in a checkout, that of testdata.
func defaultGolden() string {
	self, err := os.Executable()
	if err != nil {
		return "golden"
	}
	beside := filepath.Join(filepath.Dir(self), "golden")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	return filepath.Join("testdata", "golden", "models")
}
