package serve

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/run"
)

// MineStatus is how the pass over the corpus gets on.
type MineStatus struct {
	// running, done, stopped, failed; watched: another process is at it; idle
	State   string  `json:"state"`
	Error   string  `json:"error,omitempty"` // why it failed
	Done    int     `json:"done"`            // windows, earlier passes' included
	Windows int     `json:"windows"`         // of the corpus; 0: it is still being read
	Rate    float64 `json:"rate"`            // windows a second
	Left    float64 `json:"left"`            // seconds
}

// MineRequest chooses layers.
type MineRequest struct {
	Layers string `json:"layers"` // such as 0,2-5; empty: all
}

func (s *Server) mineStart(ctx context.Context, in *MineRequest) (*RunStatus, error) {
	if _, err := run.ParseRanges(in.Layers); err != nil {
		return nil, refuse(http.StatusBadRequest, "layers: %v", err)
	}
	if err := s.runner.mine(in.Layers); err != nil {
		return nil, err
	}
	return s.runStatus(ctx, nil)
}

func (s *Server) mineStop(ctx context.Context, _ *Nothing) (*RunStatus, error) {
	if !s.o.Write {
		return nil, refuse(http.StatusForbidden, "this server only reads: start it with -write to stop mining")
	}
	s.runner.stop(&s.runner.mining)
	return s.runStatus(ctx, nil)
}

// mine begins a pass over the corpus.
func (r *runner) mine(layers string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.o.Write:
		return refuse(http.StatusForbidden, "this server only reads: start it with -write to mine")
	case r.o.Mining == nil:
		return refuse(http.StatusConflict, "there is nothing to mine: start the server with -corpus, and with -index and "+
			"the name of a file that is not there yet")
	case r.status.Mine.State == "running" || r.status.Mine.State == "watched":
		return refuse(http.StatusConflict, "the corpus is being mined already")
	case r.opened:
		return refuse(http.StatusConflict, "the corpus is mined already")
	}
	*r.status.Mine = MineStatus{State: "running"}
	ctx, ended := r.mining.begin()
	go r.runMining(ctx, layers, ended)
	return nil
}

func (r *runner) runMining(ctx context.Context, layers string, ended chan struct{}) {
	defer close(ended)
	var speed pace
	err := r.o.Mining.Run(ctx, layers, func(done, windows int) {
		r.set(func(s *RunStatus) {
			m := s.Mine
			m.Done, m.Windows, m.Rate, m.Left = done, windows, speed.at(time.Now(), done), 0
			if m.Rate > 0 {
				m.Left = float64(windows-done) / m.Rate
			}
		})
	})
	if err == nil {
		err = r.openMined()
	}
	r.set(func(s *RunStatus) {
		m := s.Mine
		m.Left = 0
		switch {
		case err == nil:
			m.State, m.Done = "done", m.Windows
		case ctx.Err() != nil:
			m.State = "stopped"
		default:
			m.State, m.Error = "failed", "mining ended early; the server's log says why"
			r.o.Log.Printf("mining: %v", err)
		}
	})
}

// openMined opens the index that was made.
func (r *runner) openMined() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened {
		return nil
	}
	source, err := r.o.Mining.Open()
	if err != nil {
		return err
	}
	r.opened = true
	r.source.Store(source)
	r.catalog.stir()
	return nil
}

// watchMining looks how far another process is, and opens the index when it has made it.
func (r *runner) watchMining() {
	status, _ := r.now()
	if m := status.Mine; m == nil || m.State == "running" || m.State == "done" {
		return
	}
	done, windows, running := r.o.Mining.Watch()
	if !running {
		switch err := r.openMined(); {
		case err == nil:
			r.set(func(s *RunStatus) { s.Mine.State, s.Mine.Done, s.Mine.Windows = "done", windows, windows })
			return
		case !errors.Is(err, fs.ErrNotExist):
			r.o.Log.Printf("opening the index: %v", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.status.Mine
	if m.State == "running" {
		return
	}
	m.Done, m.Windows, m.Rate, m.Left = done, windows, 0, 0
	switch {
	case running:
		m.State, m.Rate = "watched", r.mineAt.at(time.Now(), done)
		if m.Rate > 0 {
			m.Left = float64(windows-done) / m.Rate
		}
	case m.State == "watched":
		m.State = "idle"
	}
}
