package train

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a training is: step, smoothed loss and tokens a second.
type progress struct {
	to         io.Writer
	bar        *progressbar.ProgressBar
	done, all  int
	tokens     int // of a step
	smooth     float64
	begun      time.Time
	first      int
	lastReport time.Time
}

// reportEvery is the time between lines where no bar can be drawn.
const reportEvery = 15 * time.Second

// newProgress writes to w: a bar if it is a terminal, lines otherwise, nothing if it is nil.
func newProgress(w io.Writer, done, all, tokens int) *progress {
	p := &progress{to: w, done: done, first: done, all: all, tokens: tokens, begun: time.Now()}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// smoothing is the weight of the loss so far in the loss shown.
const smoothing = 0.95

// step counts a step with its loss.
func (p *progress) step(loss float64) {
	p.done++
	if p.done == p.first+1 {
		p.smooth = loss
	}
	p.smooth = smoothing*p.smooth + (1-smoothing)*loss
	rate := float64((p.done-p.first)*p.tokens) / time.Since(p.begun).Seconds()
	switch {
	case p.bar != nil:
		p.bar.Describe(fmt.Sprintf("loss %.3f, %.0f tokens/s", p.smooth, rate))
		_ = p.bar.Set(p.done)
	case p.to != nil && (time.Since(p.lastReport) > reportEvery || p.done == p.all):
		p.lastReport = time.Now()
		fmt.Fprintf(p.to, "%s step %d of %d, loss %.3f, %.0f tokens/s\n", p.lastReport.Format(time.TimeOnly), p.done, p.all,
			p.smooth, rate)
	}
}

// loss is the smoothed loss.
func (p *progress) loss() float64 { return p.smooth }

// close ends the bar's line.
func (p *progress) close() {
	if p.bar != nil {
		fmt.Fprintln(p.to)
	}
}
