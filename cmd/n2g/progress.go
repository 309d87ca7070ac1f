package main

import (
	"fmt"
	"strconv"
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
	bytes   bool // what is counted
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
			p.bar = progressbar.NewOptions(p.total, progressbar.OptionSetWriter(p.app.screen), progressbar.OptionClearOnFinish(),
				progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionShowBytes(p.bytes))
		}
		p.bar.Describe(printable(what))
		p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
		return
	}
	if now.Sub(p.logged) >= logEvery {
		p.logged = now
		of := ""
		if p.total >= 0 {
			of = " of " + p.count(p.total)
		}
		fmt.Fprintf(p.app.stderr, "n2g: %s %s%s after %s\n", what, p.count(done), of, now.Sub(p.started).Round(time.Second))
	}
}

// count writes a number of what is counted.
func (p *progress) count(n int) string {
	if p.bytes {
		return byteCount(int64(n))
	}
	return strconv.Itoa(n)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish() // as above
	}
}
