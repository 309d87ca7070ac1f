package run

import (
	"fmt"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Progress of a run.
type Progress struct {
	Planned      int // neurons of this run, or of its shard
	DoneBefore   int // that earlier runs into the store have explained
	FailedBefore int // that failed in earlier runs and are passed over
	Done         int // explained by this run
	Failed       int // failed in this run
	Elapsed      time.Duration
	Rate         float64       // neurons a second, done and failed, of this run
	Left         time.Duration // that the rest will take at this rate; 0 while there is none
	MeanF1       float64       // of firing tokens, over the Scored neurons
	Scored       int           // neurons with scores and a firing test token, earlier runs' included
	Work         n2g.Work      // what the neurons that this run explained have cost
}

// String is Progress as a line of a log.
func (p Progress) String() string {
	done := fmt.Sprintf("%d of %d done", p.DoneBefore+p.Done, p.Planned)
	if pace := p.Pace(); pace != "" {
		return done + ", " + pace
	}
	return done
}

// Pace is String without how much is done, for where a bar shows that.
func (p Progress) Pace() string {
	var parts []string
	if failed := p.FailedBefore + p.Failed; failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	if p.Done+p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%.3g neurons/s", p.Rate))
	}
	if p.Left > 0 {
		parts = append(parts, fmt.Sprintf("%s left", p.Left.Round(time.Second)))
	}
	if p.Scored > 0 {
		parts = append(parts, fmt.Sprintf("mean F1 %.3f", p.MeanF1))
	}
	return strings.Join(parts, ", ")
}

// meter counts what Progress tells.
type meter struct {
	started                  time.Time
	planned                  int
	doneBefore, failedBefore int
	done, failed             int
	scored                   int
	sumF1                    float64
	cost                     n2g.Work
}

// score adds a neuron to the mean. One that has no firing test token says nothing.
func (m *meter) score(s *n2g.Scores) {
	if s != nil && s.Firing.Support > 0 {
		m.scored++
		m.sumF1 += s.Firing.F1
	}
}

// count counts a neuron that this run explained, and tells.
func (r *runner) count(e *n2g.Explanation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.score(e.Scores)
	r.cost.Add(e.Work)
	r.tell()
}

// countFailure counts a neuron that failed in this run, and tells.
func (r *runner) countFailure() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	r.tell()
}

// report tells how far the run is.
func (r *runner) report() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell()
}

func (r *runner) tell() {
	if r.options.Progress != nil {
		r.options.Progress(r.meter.progress())
	}
}

func (r *runner) progress() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.meter.progress()
}

func (m *meter) progress() Progress {
	p := Progress{
		Planned: m.planned, DoneBefore: m.doneBefore, FailedBefore: m.failedBefore, Done: m.done, Failed: m.failed,
		Elapsed: time.Since(m.started), Scored: m.scored, Work: m.cost,
	}
	if m.scored > 0 {
		p.MeanF1 = m.sumF1 / float64(m.scored)
	}
	if over := m.done + m.failed; over > 0 && p.Elapsed > 0 {
		p.Rate = float64(over) / p.Elapsed.Seconds()
		left := m.planned - m.doneBefore - m.failedBefore - over
		p.Left = time.Duration(float64(left) / p.Rate * float64(time.Second))
	}
	return p
}
