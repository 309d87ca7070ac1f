package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/run"
)

// RunStatus is how a run gets on.
type RunStatus struct {
	// running, done, stopped, failed; watched: another process writes; idle
	State    string    `json:"state"`
	Error    string    `json:"error,omitempty"` // why it failed
	Planned  int       `json:"planned"`
	Done     int       `json:"done"` // earlier runs' included
	Failed   int       `json:"failed"`
	Rate     float64   `json:"rate"` // neurons a second
	Left     float64   `json:"left"` // seconds
	MeanF1   float64   `json:"mean_f1"`
	Failures []Failure `json:"failures,omitempty"` // the last of them
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

	mu      sync.Mutex
	status  RunStatus
	cancel  context.CancelFunc
	ended   chan struct{}
	changed chan struct{} // closed and made anew at each change
	last    int           // done when the table was last touched
}

func newRunner(o Options, c *catalog) *runner {
	return &runner{o: o, catalog: c, status: RunStatus{State: "idle"}, changed: make(chan struct{})}
}

// now returns the status and a channel that is closed when it changes.
func (r *runner) now() (RunStatus, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status, r.changed
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
	case r.o.Model == nil || r.o.Examples == nil:
		return refuse(http.StatusNotImplemented, "a run needs a model and examples: start the server with -model and -index")
	}
	has := func(n n2g.Site) bool {
		known := r.o.stats(n.Layer, n.Index)
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
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended, r.status = cancel, make(chan struct{}), RunStatus{State: "running"}
	go r.run(ctx, sites, known, r.ended)
	return nil
}

func (r *runner) run(ctx context.Context, sites []n2g.Site, known *explanations, ended chan struct{}) {
	defer close(ended)
	_, err := run.Run(ctx, r.o.Model, r.o.Masked, r.o.Examples, sites, r.o.Store, run.Options{
		Examples: r.o.ExamplesName, Complete: r.o.Complete,
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

// stop ends the run, if there is one, and waits for it.
func (r *runner) stop() {
	r.mu.Lock()
	cancel, ended := r.cancel, r.ended
	r.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}

func (r *runner) close() error {
	r.stop()
	return nil
}

// watch returns the status of the server's own run, or of one that another process makes into the store.
func (r *runner) watch(ctx context.Context) (RunStatus, <-chan struct{}, error) {
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
	r.mu.Lock()
	if len(done) != r.last {
		r.last = len(done)
		r.mu.Unlock()
		r.catalog.stir()
	} else {
		r.mu.Unlock()
	}
	status.Planned, status.Done, status.Failed = len(planned), len(done), len(failures)
	if status.State == "idle" && len(planned) > len(done)+len(failures) && !r.o.Write {
		status.State = "watched"
	}
	const most = 20
	status.Failures = nil
	for _, f := range failures[max(0, len(failures)-most):] {
		status.Failures = append(status.Failures, Failure{f.Layer, f.Index, f.Reason})
	}
	return status, changed, nil
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
	s.runner.stop()
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
		control.SetWriteDeadline(time.Now().Add(slowClient)) //nolint:errcheck // a test's recorder has none
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
