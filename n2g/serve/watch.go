package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/run"
)

// RunStatus is how a run gets on.
type RunStatus struct {
	// running, done, stopped, failed; watched: another process writes; idle
	State    string      `json:"state"`
	Error    string      `json:"error,omitempty"` // why it failed
	Planned  int         `json:"planned"`
	Done     int         `json:"done"` // earlier runs' included
	Failed   int         `json:"failed"`
	Rate     float64     `json:"rate"` // neurons a second
	Left     float64     `json:"left"` // seconds
	MeanF1   float64     `json:"mean_f1"`
	Failures []Failure   `json:"failures,omitempty"` // the last of them
	Mine     *MineStatus `json:"mine,omitempty"`     // of the corpus; null: nothing is to be mined
}

// Failure is a neuron that could not be explained.
type Failure struct {
	Layer  int    `json:"layer"`
	Neuron int    `json:"neuron"`
	Reason string `json:"reason"`
}

// RunRequest chooses neurons.
type RunRequest struct {
	Layers  string `json:"layers"`  // such as 0,2-5; empty: all
	Neurons string `json:"neurons"` // of each layer; empty: all
	Sample  int    `json:"sample"`  // so many of each layer, by chance; 0: all
}

// runner makes one run at a time. It goes on when the browser is closed.
type runner struct {
	o       Options
	catalog *catalog
	source  *atomic.Pointer[Source]

	mu           sync.Mutex
	status       RunStatus
	running      task // the run
	mining       task
	opened       bool          // whether what was mined is open
	changed      chan struct{} // closed and made anew at each change
	last         int           // done when the table was last touched
	seen, mineAt pace          // of what another process does
}

// task is work that goes on by itself.
type task struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// begin returns the context of a task that begins, and the channel to close at its end.
func (t *task) begin() (context.Context, chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel, t.ended = cancel, make(chan struct{})
	return ctx, t.ended
}

func newRunner(o Options, c *catalog, source *atomic.Pointer[Source]) *runner {
	r := &runner{o: o, catalog: c, source: source, status: RunStatus{State: "idle"}, changed: make(chan struct{})}
	if o.Mining != nil {
		r.status.Mine = &MineStatus{State: "idle"}
	}
	return r
}

// stop ends a task, if there is one, and waits for it.
func (r *runner) stop(t *task) {
	r.mu.Lock()
	cancel, ended := t.cancel, t.ended
	r.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

func (r *runner) close() error {
	r.stop(&r.running)
	r.stop(&r.mining)
	return nil
}

// now returns the status and a channel that is closed when it changes.
func (r *runner) now() (RunStatus, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	status := r.status
	if status.Mine != nil {
		mine := *status.Mine
		status.Mine = &mine
	}
	return status, r.changed
}

func (r *runner) set(update func(*RunStatus)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	update(&r.status)
	close(r.changed)
	r.changed = make(chan struct{})
}

// StartRun begins to explain neurons into the store, as the run page does.
func (s *Server) StartRun(in RunRequest) error {
	selection, err := in.selection()
	if err != nil {
		return err
	}
	return s.runner.start(selection, s.known)
}

func (in RunRequest) selection() (selection run.Selection, err error) {
	if selection.Layers, err = run.ParseRanges(in.Layers); err != nil {
		return selection, refuse(http.StatusBadRequest, "layers: %v", err)
	}
	if selection.Neurons, err = run.ParseRanges(in.Neurons); err != nil {
		return selection, refuse(http.StatusBadRequest, "neurons: %v", err)
	}
	if in.Sample < 0 {
		return selection, refuse(http.StatusBadRequest, "a sample of %d neurons cannot be taken", in.Sample)
	}
	selection.Sample = in.Sample
	return selection, nil
}

func (r *runner) start(selection run.Selection, known *explanations) error {
	switch {
	case !r.o.Write:
		return refuse(http.StatusForbidden, "this server only reads: start it with -write to begin runs")
	case r.o.Model == nil || r.source.Load().Examples == nil:
		return refuse(http.StatusNotImplemented, "a run needs a model and examples: start the server with -model and -index")
	}
	has := func(n n2g.Site) bool {
		if !slices.Contains(r.o.Shown, n.Layer) {
			return false
		}
		known := r.catalog.stats(n.Layer, n.Index)
		return known == nil || !known.Dead()
	}
	sites, _, err := selection.Among(r.o.Layers, r.o.Neurons, r.o.Hook, has)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State == "running" {
		return refuse(http.StatusConflict, "a run goes on already")
	}
	r.status = RunStatus{State: "running", Mine: r.status.Mine}
	ctx, ended := r.running.begin()
	go r.run(ctx, sites, known, ended)
	return nil
}

func (r *runner) run(ctx context.Context, sites []n2g.Site, known *explanations, ended chan struct{}) {
	defer close(ended)
	source := r.source.Load()
	_, err := run.Run(ctx, r.o.Model, r.o.Masked, source.Examples, sites, r.o.Store, run.Options{
		Examples: source.ExamplesName, Complete: source.Complete,
		Progress: func(p run.Progress) {
			r.catalog.stir()
			r.set(func(s *RunStatus) { s.take(p) })
		},
	})
	r.catalog.stir()
	r.set(func(s *RunStatus) {
		switch {
		case err == nil:
			s.State = "done"
		case ctx.Err() != nil:
			s.State = "stopped"
		default:
			s.State, s.Error = "failed", "the run ended early; the server's log says why"
			r.o.Log.Printf("run: %v", err)
		}
		s.Left = 0
	})
}

func (s *RunStatus) take(p run.Progress) {
	s.Planned, s.Done, s.Failed = p.Planned, p.DoneBefore+p.Done, p.FailedBefore+p.Failed
	s.Rate, s.Left, s.MeanF1 = p.Rate, p.Left.Seconds(), p.MeanF1
}

// stir says that the store has changed.
func (c *catalog) stir() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stale = true
}

// watch returns the status of the server's own run, or of one that another process makes into the store.
func (r *runner) watch(ctx context.Context) (RunStatus, <-chan struct{}, error) {
	r.watchMining()
	status, changed := r.now()
	if status.State == "running" {
		return status, changed, nil
	}
	planned, err := r.o.Store.Planned(ctx)
	if err != nil {
		return status, changed, err
	}
	done, err := r.o.Store.Done(ctx)
	if err != nil {
		return status, changed, err
	}
	failures, err := r.o.Store.Failures(ctx)
	if err != nil {
		return status, changed, err
	}
	status.Planned, status.Done, status.Failed = len(planned), len(done), len(failures)
	missing := len(planned) - len(done) - len(failures)
	r.mu.Lock()
	grown := len(done) != r.last
	r.last = len(done)
	if status.State == "idle" && missing > 0 && !r.o.Write && r.o.Store.Writing() {
		status.State = "watched"
		status.Rate = r.seen.at(time.Now(), len(done)+len(failures))
		if status.Rate > 0 {
			status.Left = float64(missing) / status.Rate
		}
	}
	r.mu.Unlock()
	if grown {
		r.catalog.stir()
	}
	const most = 20
	status.Failures = nil
	for _, f := range failures[max(0, len(failures)-most):] {
		status.Failures = append(status.Failures, Failure{f.Layer, f.Index, f.Reason})
	}
	return status, changed, nil
}

// pace is how fast a number grows that is looked at from time to time.
type pace struct{ looks []look }

type look struct {
	at   time.Time
	done int
}

// at adds a look, and returns how much is done a second over the last half minute.
func (p *pace) at(now time.Time, done int) float64 {
	const length = 30 * time.Second
	p.looks = append(p.looks, look{now, done})
	for len(p.looks) > 2 && now.Sub(p.looks[1].at) > length {
		p.looks = p.looks[1:]
	}
	first := p.looks[0]
	if first.done > done { // it was begun anew
		p.looks = p.looks[len(p.looks)-1:]
		return 0
	}
	seconds := now.Sub(first.at).Seconds()
	if seconds < 1 {
		return 0
	}
	return float64(done-first.done) / seconds
}

func (s *Server) runStatus(ctx context.Context, _ *Nothing) (*RunStatus, error) {
	status, _, err := s.runner.watch(ctx)
	return &status, err
}

func (s *Server) runStart(_ context.Context, in *RunRequest) (*RunStatus, error) {
	if err := s.StartRun(*in); err != nil {
		return nil, err
	}
	status, _ := s.runner.now()
	return &status, nil
}

func (s *Server) runStop(ctx context.Context, _ *Nothing) (*RunStatus, error) {
	if !s.o.Write {
		return nil, refuse(http.StatusForbidden, "this server only reads: start it with -write to stop runs")
	}
	s.runner.stop(&s.runner.running)
	return s.runStatus(ctx, nil)
}

// Times of the stream of events: how often a store is looked at that another process writes, how often one status
// follows another, and how long a client may take to read one.
const (
	lookEvery  = 2 * time.Second
	atMost     = 250 * time.Millisecond
	slowClient = 10 * time.Second
)

// events streams the run's status as server-sent events until the client goes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for {
		status, changed, err := s.runner.watch(r.Context())
		if err != nil {
			return
		}
		text, err := encode(status)
		if err != nil {
			return
		}
		control.SetWriteDeadline(time.Now().Add(slowClient)) // a test's recorder has none
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(atMost):
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-time.After(lookEvery):
		}
	}
}
