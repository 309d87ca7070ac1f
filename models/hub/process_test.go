package hub_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
)

// processVar makes the test binary be another process that downloads: ENDPOINT CACHE.
const processVar = "HUB_TEST_PROCESS"

func TestMain(m *testing.M) {
	endpoint, cache, ok := strings.Cut(os.Getenv(processVar), " ")
	if !ok {
		os.Exit(m.Run())
	}
	client, err := hub.New(hub.Options{Endpoint: endpoint, Cache: cache, Backoff: time.Millisecond})
	if err == nil {
		err = client.Get(context.Background(), registry.Model{Name: "x", Repo: "org/name"},
			func(p hub.Progress) { fmt.Println(p.File, p.Done) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// process starts another process that downloads org/name.
func process(t *testing.T, s *server, cache string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self)
	command.Env = append(os.Environ(), processVar+"="+s.URL+" "+cache)
	command.Stderr = os.Stderr
	return command
}

// Two processes share a cache: each file is fetched once, and both end well.
func TestTwoProcesses(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	cache := t.TempDir()
	client := s.client(t, hub.Options{Cache: cache})
	one, two := process(t, s, cache), process(t, s, cache)
	for _, command := range []*exec.Cmd{one, two} {
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []*exec.Cmd{one, two} {
		if err := command.Wait(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		if asked := s.asked("/" + name); len(asked) != 1 {
			t.Errorf("%s was fetched %d times", name, len(asked))
		}
	}
	checkFolder(t, client, model(t, "org/name"), files,
		[]string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
}

// A process that is killed in the middle of a file keeps nobody out: the next one goes on where it stopped.
func TestKilledProcess(t *testing.T) {
	files := repo()
	weights := files["model.safetensors"]
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	s.mu.Lock() // the other process asks without this one's knowledge
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !isFile(r, "model.safetensors") || n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "20000")
		w.Write(weights[:9000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	s.mu.Unlock()
	cache := t.TempDir()
	client := s.client(t, hub.Options{Cache: cache})
	victim := process(t, s, cache)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	const done = "model.safetensors 14320" // 5,320 bytes of the other files before
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == done {
			victim.Process.Kill() // Wait tells
		}
	}
	if err := victim.Wait(); err == nil {
		t.Fatal("the process ended by itself")
	}
	if err := client.Get(t.Context(), model(t, "org/name"), nil); err != nil {
		t.Fatal(err)
	}
	if asked := s.asked("/model.safetensors"); len(asked) != 2 || !strings.HasSuffix(asked[1], "bytes=9000-") {
		t.Errorf("asked %q", asked)
	}
	checkFolder(t, client, model(t, "org/name"), files,
		[]string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"})
}
