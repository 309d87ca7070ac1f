package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	patience = 2 * time.Second  // work shorter than this shows no progress
	logEvery = 10 * time.Second // between lines where there is no terminal
)

// progress of long work: a bar at a terminal, lines otherwise. It is used by one goroutine.
type progress struct {
	app     *app
	total   int
	started time.Time
	logged  time.Time
	bar     *progressbar.ProgressBar
}

// progress begins work of so many steps; -1 is not known.
func (a *app) progress(total int) *progress {
	return &progress{app: a, total: total, started: time.Now()}
}

// update says what is being done, and how much of the total is.
func (p *progress) update(done int, what string) {
	now := time.Now()
	if now.Sub(p.started) < patience {
		return
	}
	if p.app.terminal {
		if p.bar == nil {
			p.bar = progressbar.NewOptions(p.total, progressbar.OptionSetWriter(p.app.stderr), progressbar.OptionClearOnFinish(),
				progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
		}
		p.bar.Describe(what)
		p.bar.Set(done) //nolint:errcheck // a bar that cannot be drawn is no reason to stop
		return
	}
	if now.Sub(p.logged) >= logEvery {
		p.logged = now
		of := ""
		if p.total >= 0 {
			of = fmt.Sprintf(" of %d", p.total)
		}
		fmt.Fprintf(p.app.stderr, "n2g: %s %d%s after %s\n", what, done, of, now.Sub(p.started).Round(time.Second))
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish() //nolint:errcheck // as above
	}
}
