package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// outcome is what became of a part.
type outcome struct {
	part     string
	findings []finding
	failure  string // why it did not end well; empty if it did
	skipped  bool   // no time was left
}

// supervise runs the parts, each as a process of its own, and keeps the report up to date. It says whether all ended
// well; an error is one that ends everything.
func supervise(ctx context.Context, s settings, parts []part, report string, progress io.Writer) (bool, error) {
	if _, err := os.Stat(filepath.Join(s.golden, "solu", "ref.json")); err != nil {
		return false,
			fmt.Errorf("the golden models are not in %s: name their folder with -golden (testdata/golden/models of the "+
				"repository)", s.golden)
	}
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	logName := strings.TrimSuffix(report, filepath.Ext(report)) + ".log"
	log, err := os.Create(logName)
	if err != nil {
		return false, err
	}
	defer log.Close()
	r := newReport(s)
	well := true
	for _, p := range parts {
		fmt.Fprintf(progress, "%5.0f s  %s …\n", r.elapsed(), p.name)
		o := outcome{part: p.name, skipped: true}
		if ctx.Err() == nil {
			o = runProcess(ctx, s, self, p, log)
		}
		if p.name == backendPart && o.failure != "" {
			return false, fmt.Errorf("%s (what was said on the way is in %s)", o.failure, logName)
		}
		r.outcomes = append(r.outcomes, o)
		for _, line := range o.lines() {
			fmt.Fprintf(progress, "         %s\n", line)
		}
		well = well && o.well()
		if err := os.WriteFile(report, []byte(r.markdown()), 0o644); err != nil {
			return false, fmt.Errorf("write the report: %w", err)
		}
	}
	fmt.Fprintf(progress, "%5.0f s  done: the report is in %s\n", r.elapsed(), report)
	return well, nil
}

// runProcess runs a part. What it found before it failed is kept.
func runProcess(ctx context.Context, s settings, self string, p part, log io.Writer) outcome {
	o := outcome{part: p.name}
	limited, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	args := []string{"-part", p.name, "-backend", s.backend, "-golden", s.golden}
	if s.quick {
		args = append(args, "-quick")
	}
	command := exec.CommandContext(limited, self, args...)
	command.WaitDelay = 5 * time.Second
	said := &bytes.Buffer{}
	fmt.Fprintf(log, "== %s\n", p.name)
	command.Stderr = io.MultiWriter(log, said)
	out, err := command.StdoutPipe()
	if err != nil {
		o.failure = err.Error()
		return o
	}
	if err := command.Start(); err != nil {
		o.failure = err.Error()
		return o
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var f finding
		if json.Unmarshal(lines.Bytes(), &f) == nil {
			o.findings = append(o.findings, f)
		} else {
			fmt.Fprintln(log, lines.Text()) // a plugin's own words
		}
	}
	err = command.Wait()
	switch {
	case err == nil:
	case errors.Is(ctx.Err(), context.Canceled):
		o.failure = "interrupted"
	case ctx.Err() != nil:
		o.failure = "the time was over"
	case limited.Err() != nil:
		o.failure = fmt.Sprintf("it took longer than %v", p.limit)
	default:
		o.failure = reason(said.String(), err)
	}
	return o
}

// reason is why a process failed: this program's own sentence if it wrote one, else its first line or that of a panic.
func reason(said string, err error) string {
	telling := ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if own, ok := strings.CutPrefix(line, "gpucheck: "); ok {
			return own
		}
		fatal := strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") ||
			strings.HasPrefix(line, "SIG")
		if telling == "" || fatal {
			telling = line
		}
	}
	if telling == "" {
		return err.Error()
	}
	return fmt.Sprintf("%v: %s", err, telling)
}

// well says whether the part ran to its end and found nothing wrong.
func (o outcome) well() bool {
	if o.failure != "" || o.skipped {
		return false
	}
	for _, f := range o.findings {
		if f.Check != nil && f.Check.Wrong != "" {
			return false
		}
	}
	return true
}

// lines say what came out, for the terminal.
func (o outcome) lines() []string {
	var lines []string
	for _, f := range o.findings {
		switch {
		case f.Device != "":
			lines = append(lines, f.Device)
		case f.Check != nil:
			lines = append(lines, f.Check.verdict()+fmt.Sprintf(" (%.1f s)", f.Check.Seconds))
		case f.Explained != nil:
			lines = append(lines, fmt.Sprintf("%d neurons in %.1f s, then in %.1f s", f.Explained.Neurons, f.Explained.First,
				f.Explained.Later))
		case f.Speed != nil:
			lines = append(lines, fmt.Sprintf("%d × %d tokens: %s tokens/s, first call %.2f s", f.Speed.Prompts, f.Speed.Tokens,
				f.Speed.rate(), f.Speed.First))
		}
	}
	if o.failure != "" {
		lines = append(lines, "FAILED: "+o.failure)
	}
	if o.skipped {
		lines = append(lines, "left out: no time was left")
	}
	return lines
}
