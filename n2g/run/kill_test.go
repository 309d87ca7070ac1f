package run

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// childStore, set, makes the test binary a process that runs into the store it names.
const childStore = "N2G_TEST_RUN_CHILD"

const childNeurons = 120

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child explains slowly, and says which neurons it begins.
func child(path string) error {
	s, err := store.Open(path, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	model, sites, source := toy(childNeurons)
	_, err = Run(ctx, model, nil, func(site n2g.Site) (*n2g.Examples, error) {
		fmt.Println(site.Index)
		time.Sleep(3 * time.Millisecond)
		return source(site)
	}, sites, s, Options{Concurrency: 3})
	return err
}

// TestKilled kills a run at random moments, as kill -9 does, and goes on with it: nothing is done twice, nothing is
// lost, and in the end the store is that of a run without a break.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	random := rand.New(rand.NewPCG(1, 2))
	done := map[string]bool{}
	kills := 0
	wanted := 24
	if testing.Short() {
		wanted = 3
	}
	for kills < wanted {
		killed := runChild(t, path, kills%4 == 0, time.Duration(random.IntN(20000))*time.Microsecond, done)
		if !killed {
			if err := os.Remove(path); err != nil { // all done: from the beginning again
				t.Fatal(err)
			}
			clear(done)
			continue
		}
		kills++
		now := inStore(t, path)
		for name := range done {
			if !now[name] {
				t.Errorf("neuron %s was in the store and is lost", name)
			}
		}
		done = now
	}
	if runChild(t, path, false, time.Hour, done) {
		t.Fatal("the last run was killed")
	}
	model, sites, source := toy(childNeurons)
	whole := newStore(t)
	if _, err := Run(ctx, model, nil, source, sites, whole, Options{}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows, err := s.Rows(ctx)
	if err != nil || len(rows) != childNeurons {
		t.Errorf("%d neurons in the store, %v", len(rows), err)
	}
	if !reflect.DeepEqual(explanations(t, s), explanations(t, whole)) {
		t.Error("the store is not that of a run without a break")
	}
	if missing, err := s.Missing(ctx); err != nil || len(missing) > 0 {
		t.Errorf("missing %v, %v", missing, err)
	}
}

// runChild runs a child and kills it some time after its first sign of life, or early, while it opens the store. A
// child may not begin what is done.
func runChild(t *testing.T, path string, early bool, after time.Duration, done map[string]bool) (killed bool) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), childStore+"="+path)
	var complaint strings.Builder
	command.Stderr = &complaint
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	kill := func() { command.Process.Kill() } // it may have ended
	if early {
		timer = time.AfterFunc(4*after, kill)
		defer timer.Stop()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if timer == nil {
			timer = time.AfterFunc(after, kill)
			defer timer.Stop()
		}
		if neuron := lines.Text(); done["0_"+neuron] {
			t.Errorf("neuron %s is explained again", neuron)
		}
	}
	err = command.Wait()
	if complaint.Len() > 0 {
		t.Fatalf("the child complains: %s", &complaint)
	}
	return err != nil
}

// inStore returns the neurons that are explained. Opening the store recovers what the killed process left.
func inStore(t *testing.T, path string) map[string]bool {
	t.Helper()
	s, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names := map[string]bool{}
	for name := range explanations(t, s) {
		names[name] = true
	}
	return names
}
