package serve

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestTableWhileItIsMade: while one question reads the store, others are answered from the table that is there.
func TestTableWhileItIsMade(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server, err := New(Options{Store: s, Layers: 2, Neurons: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := server.catalog
	before, err := c.table(t.Context())
	if err != nil || len(before.rows) != 6 {
		t.Fatal(before, err)
	}
	c.stir()
	before.made = time.Now().Add(-2 * freshness)
	c.loading.Lock()
	got := make(chan *snapshot)
	go func() {
		table, err := c.table(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- table
	}()
	select {
	case table := <-got:
		if table != before {
			t.Error("it is another table")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a question waits for the table that another makes")
	}
	c.loading.Unlock()

	// Nor for the tokens of all neurons, which another reads to find similar ones.
	before.tokens.mu.Lock()
	ordered := make(chan struct{})
	go func() {
		before.order("maximum")
		close(ordered)
	}()
	select {
	case <-ordered:
	case <-time.After(10 * time.Second):
		t.Fatal("an order of the table waits for the tokens that another question reads")
	}
	before.tokens.mu.Unlock()

	c.stir()
	c.current.made = time.Now().Add(-2 * freshness)
	was := c.current
	if after, err := c.table(t.Context()); err != nil || after == was {
		t.Errorf("the table is not made anew: %v", err)
	}
}
