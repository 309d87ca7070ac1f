package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

// report is the outcome of all parts so far.
type report struct {
	settings settings
	began    time.Time
	hardware string
	outcomes []outcome
}

func newReport(s settings) *report {
	var hardware []string
	if list := gpus(); list != "" {
		hardware = append(hardware, "GPU "+strings.ReplaceAll(list, "\n", "; "))
	}
	hardware = append(hardware, strings.TrimSpace(fmt.Sprintf("%d processors %s", runtime.NumCPU(), processor())))
	return &report{settings: s, began: time.Now(), hardware: strings.Join(hardware, "; ")}
}

// elapsed is the time since the beginning in seconds.
func (r *report) elapsed() float64 { return time.Since(r.began).Seconds() }

// markdown is the report as docs/benchmarks.md takes it.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s; %s", r.began.UTC().Format(time.DateOnly), r.hardware, runtime.Version())
	for _, f := range r.findings() {
		if f.Device != "" {
			fmt.Fprintf(&b, "; %s", f.Device)
		}
	}
	b.WriteString(". TF32 is off. `gpu-check.sh`")
	if r.settings.quick {
		b.WriteString(" with -quick, whose figures of speed mean nothing")
	}
	fmt.Fprintf(&b, ".\n\n| %s | against | values | largest difference | verdict | with opening and compiling |\n"+
		"|---|---|---|---|---|---|\n", r.settings.backend)
	for _, o := range r.outcomes {
		for _, f := range o.findings {
			if c := f.Check; c != nil {
				fmt.Fprintf(&b, "| %s | %s | %d | %.1e | %s | %.1f s |\n", c.What, c.Against, c.Values, c.Largest,
					cell(c.verdict()), c.Seconds)
			}
		}
		if o.failure != "" {
			fmt.Fprintf(&b, "| %s | | | | failed: %s | |\n", o.part, cell(o.failure))
		}
		if o.skipped {
			fmt.Fprintf(&b, "| %s | | | | not run: no time was left | |\n", o.part)
		}
	}
	b.WriteString(r.speeds())
	b.WriteString(r.explanations())
	return b.String()
}

// findings are those of all parts.
func (r *report) findings() []finding {
	var list []finding
	for _, o := range r.outcomes {
		list = append(list, o.findings...)
	}
	return list
}

// speeds are the tables of speed and memory, the two backends side by side; empty where none was measured.
func (r *report) speeds() string {
	type key struct {
		model   string
		prompts int
	}
	onGo := map[key]*speed{}
	var own []*speed
	var used []*memory
	for _, f := range r.findings() {
		switch {
		case f.Memory != nil:
			used = append(used, f.Memory)
		case f.Speed != nil && f.Speed.Backend == backends.Go:
			onGo[key{f.Speed.Model, f.Speed.Prompts}] = f.Speed
		case f.Speed != nil:
			own = append(own, f.Speed)
		}
	}
	if len(own) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| model | prompts × tokens | %s, tokens/s | go, tokens/s | times | first call more than later "+
		"ones, %[1]s |\n|---|---|---|---|---|---|\n", r.settings.backend)
	for _, v := range own {
		other, times := "not run", "-"
		if g := onGo[key{v.Model, v.Prompts}]; g != nil {
			other, times = g.rate(), fmt.Sprintf("%.1f", g.Median/v.Median)
		}
		what := "compiling"
		if v.FirstWithWeights {
			what = "reading weights, compiling"
		}
		fmt.Fprintf(&b, "| %s | %d × %d | %s | %s | %s | %.2f s, %s |\n", v.Model, v.Prompts, v.Tokens, v.rate(), other,
			times, max(0, v.First-v.Median), what)
	}
	if len(used) > 0 {
		b.WriteString("\n| model | backend | most memory of the GPU | most resident memory of the process |\n" +
			"|---|---|---|---|\n")
	}
	for _, m := range used {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.Model, cmp.Or(m.Backend, r.settings.backend), mebibytes(m.Device),
			mebibytes(m.Host))
	}
	return b.String()
}

// explanations is the table of whole explanations; empty where none was measured.
func (r *report) explanations() string {
	var b strings.Builder
	for _, f := range r.findings() {
		e := f.Explained
		if e == nil {
			continue
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, "\n| whole explanations | backend | first %d neurons, programs compiled | the next %[1]d | "+
				"neurons/s |\n|---|---|---|---|---|\n", e.Neurons)
		}
		later, steady := "-", e.First
		if e.Later > 0 {
			later, steady = fmt.Sprintf("%.1f s", e.Later), e.Later
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f s | %s | %.2f |\n", e.Model, cmp.Or(e.Backend, r.settings.backend), e.First, later,
			float64(e.Neurons)/steady)
	}
	return b.String()
}

// rate is tokens a second.
func (s *speed) rate() string {
	return fmt.Sprintf("%.0f", float64(s.Prompts*s.Tokens)/s.Median)
}

// verdict says whether the values agree.
func (c *check) verdict() string {
	if c.Wrong != "" {
		return "DIFFERS: " + c.Wrong
	}
	return fmt.Sprintf("agrees to %.0e", c.Within)
}

// mebibytes is an amount of memory.
func mebibytes(n int) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", n)
}

// cell keeps a text from ending a table's cell.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
