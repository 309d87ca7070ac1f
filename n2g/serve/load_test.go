package serve_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestLoad asks a server as many people at once would: N2G_LOAD clients for N2G_LOAD_TIME, on loopback. make load runs
// it with 200 clients for 20 s; by itself it is a few clients for a moment. No request may fail.
func TestLoad(t *testing.T) {
	clients, length := 20, 500*time.Millisecond
	if text := os.Getenv("N2G_LOAD"); text != "" {
		if _, err := fmt.Sscan(text, &clients); err != nil || clients < 1 || clients > 1000 {
			t.Fatalf("N2G_LOAD is %q: a number of clients up to 1000", text)
		}
		var err error
		if length, err = time.ParseDuration(os.Getenv("N2G_LOAD_TIME")); err != nil || length > time.Minute {
			t.Fatalf("N2G_LOAD_TIME: a duration up to a minute (%v)", err)
		}
	}
	address, _ := listen(t, nil)
	transport := &http.Transport{MaxIdleConnsPerHost: clients, MaxConnsPerHost: clients}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	texts := []string{
		"if err != nil {\n\treturn nil, err\n}", "// The caller must hold the lock.",
		"func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {",
		"for i := range list {\n\tsum += list[i]\n}", "package main\n\nimport \"fmt\"\n",
	}
	kinds := []string{"live", "table", "neuron", "fires"}
	took := make([][]time.Duration, len(kinds))
	var mu sync.Mutex
	var failed atomic.Int64
	ask := func(kind int, random *rand.Rand) error {
		path, body := "/api/v1/live", ""
		switch kinds[kind] {
		case "live":
			text := texts[random.IntN(len(texts))]
			body = fmt.Sprintf(`{"layer":%d,"neuron":%d,"text":%q}`, random.IntN(3), random.IntN(512),
				text[:1+random.IntN(len(text))]+" x")
		case "table":
			path = fmt.Sprintf("/api/v1/neurons?sort=-maximum&layer=%d&offset=%d", random.IntN(3), random.IntN(400))
		case "neuron":
			path = "/neurons/1/222"
		case "fires":
			path, body = "/api/v1/fires", fmt.Sprintf(`{"text":%q}`, texts[random.IntN(len(texts))])
		}
		method := "GET"
		if body != "" {
			method = "POST"
		}
		r, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		started := time.Now()
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %d %.200s %w", path, answer.StatusCode, text, err)
		}
		mu.Lock()
		defer mu.Unlock()
		took[kind] = append(took[kind], time.Since(started))
		return nil
	}
	end := time.Now().Add(length)
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			for time.Now().Before(end) {
				kind := []int{0, 0, 0, 0, 0, 0, 1, 1, 2, 3}[random.IntN(10)]
				if err := ask(kind, random); err != nil {
					if failed.Add(1) <= 3 {
						t.Error(err)
					}
					return
				}
				time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond) // people read
			}
		})
	}
	wait.Wait()
	for kind, list := range took {
		if len(list) == 0 {
			t.Logf("%-7s not asked", kinds[kind])
			continue
		}
		slices.Sort(list)
		at := func(share float64) time.Duration {
			return list[int(share*float64(len(list)-1))].Round(100 * time.Microsecond)
		}
		t.Logf("%-7s %6d answers, p50 %v, p99 %v, longest %v", kinds[kind], len(list), at(0.5), at(0.99), at(1))
	}
}
