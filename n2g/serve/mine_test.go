package serve_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
)

// mining is that of a small corpus by tiny, into a file. Before each batch of windows it waits for a turn.
func mining(t *testing.T, o serve.Options, out string, turns <-chan struct{}) *serve.Mining {
	var texts []corpus.Text
	for i := range 40 {
		texts = append(texts, corpus.Text{Content: strings.Repeat("if err != nil {\n\treturn nil, err\n}\n", 1+i%7)})
	}
	model := o.Model.(*models.Causal)
	return &serve.Mining{
		Run: func(ctx context.Context, _ string, progress func(done, windows int)) error {
			source := func(yield func(corpus.Text, error) bool) {
				for _, text := range texts {
					if !yield(text, nil) {
						return
					}
				}
			}
			return corpus.Mine(ctx, model, []int{0}, nil, source, out, corpus.Options{
				Batch: 4, KeepEvery: time.Nanosecond,
				Progress: func(done, windows int) {
					progress(done, windows)
					select {
					case <-turns:
					case <-ctx.Done():
					}
				},
			})
		},
		Watch: func() (done, windows int, running bool) { return index.Progress(out, corpus.Unfinished(out)) },
		Open: func() (*serve.Source, error) {
			if _, err := os.Stat(out); err != nil {
				return nil, err
			}
			x, err := index.Open(out)
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { x.Close() })
			return &serve.Source{Index: x, ExamplesName: "mined", Examples: func(n n2g.Site) (*n2g.Examples, error) {
				return corpus.Examples(x, model, n)
			}}, nil
		},
	}
}

// TestMine: a pass begun over HTTP is stopped, gone on with by another server while this one watches, and what it made
// is open in both.
func TestMine(t *testing.T) {
	out := filepath.Join(t.TempDir(), "texts.n2g")
	turns := make(chan struct{})
	bare := func(turns chan struct{}) func(o *serve.Options) {
		return func(o *serve.Options) {
			o.Index, o.Examples, o.Write = nil, nil, true
			o.Mining = mining(t, *o, out, turns)
		}
	}
	first, _ := open(t, bare(turns))
	status := func(h http.Handler, state string) serve.MineStatus {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			s := get[serve.RunStatus](t, h, "GET", "/run", "")
			if s.Mine == nil {
				t.Fatal("nothing is said of mining")
			}
			if s.Mine.State == state {
				return *s.Mine
			}
			if time.Now().After(end) {
				t.Fatalf("it is %+v, want %s", *s.Mine, state)
			}
		}
	}
	status(first, "idle")
	if w := do(first, "POST", "/api/v1/run", `{"layers":"0","neurons":"3"}`); w.Code != http.StatusNotImplemented {
		t.Errorf("a run before anything is mined: %d %s", w.Code, w.Body)
	}
	get[serve.RunStatus](t, first, "POST", "/mine", `{"layers":"0"}`)
	if w := do(first, "POST", "/api/v1/mine", `{}`); w.Code != http.StatusConflict {
		t.Errorf("mining twice: %d %s", w.Code, w.Body)
	}
	turns <- struct{}{}
	turns <- struct{}{} // some windows are kept
	get[serve.RunStatus](t, first, "POST", "/mine/stop", `{}`)
	if s := status(first, "stopped"); s.Done == 0 || s.Done >= s.Windows {
		t.Errorf("stopped at %d of %d windows", s.Done, s.Windows)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an unfinished index is there: %v", err)
	}

	other := make(chan struct{})
	second, _ := open(t, bare(other))
	get[serve.RunStatus](t, second, "POST", "/mine", `{"layers":"0"}`)
	if s := status(first, "watched"); s.Done == 0 && s.Windows > 0 {
		t.Errorf("what was kept is not seen: %+v", s)
	}
	if w := do(first, "POST", "/api/v1/mine", `{}`); w.Code != http.StatusConflict {
		t.Errorf("mining what another mines: %d %s", w.Code, w.Body)
	}
	close(other)
	status(second, "done")
	status(first, "done")
	for _, h := range []http.Handler{first, second} {
		found := get[serve.Page](t, h, "GET", "/neurons?layer=0&kind=lively", "")
		if found.Matched == 0 {
			t.Error("the table knows nothing of what was mined")
		}
	}
	if w := do(second, "POST", "/api/v1/mine", `{}`); w.Code != http.StatusConflict {
		t.Errorf("mining again: %d %s", w.Code, w.Body)
	}
}
