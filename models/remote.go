package models

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// ServerVar names the environment variable that holds the address of a server, which then answers for the models that
// it serves: http://127.0.0.1:7711, as n2g serve prints it.
const ServerVar = "N2G_SERVER"

// isServer tells an address from other references to a model.
func isServer(ref string) bool {
	return strings.HasPrefix(ref, "http://") || strings.HasPrefix(ref, "https://")
}

// named returns the server of the environment if it serves the model of that name.
func named(ref string) *Causal {
	address := os.Getenv(ServerVar)
	if address == "" || isPath(ref) {
		return nil
	}
	m, err := openRemote(address)
	if err != nil || m.name != ref {
		return nil // the model is here as well
	}
	return m
}

// remote is a model that a server keeps warm (package n2g/serve): it answers over HTTP what costs, and the rest is
// answered here from its configuration and tokenizer, so that a program starts at once.
type remote struct {
	base   string // ends in /api/v1
	token  string
	client *http.Client
}

// openRemote opens the model of a server.
func openRemote(address string) (*Causal, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("open model: %q is no address of a server: it looks like http://127.0.0.1:7711", address)
	}
	r := &remote{token: u.Query().Get("token"), client: &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
	}}}
	r.base = u.Scheme + "://" + u.Host + strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/api/v1") + "/api/v1"
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var about struct {
		Model string
		Warm  bool
	}
	if err := r.ask(ctx, http.MethodGet, "", nil, &about); err != nil {
		return nil, fmt.Errorf("open the model of %s: %w", r.base, err)
	}
	if !about.Warm {
		return nil, fmt.Errorf("open the model of %s: it serves a store, but no model", r.base)
	}
	m := &Causal{name: about.Model, server: r, backend: backends.Info{Name: "server", Description: "the server " + u.Host}}
	if err := r.ask(ctx, http.MethodGet, "/model/shape", nil, &m.config); err != nil {
		return nil, fmt.Errorf("open the model of %s: %w", r.base, err)
	}
	tokenizer, err := r.file(ctx, "tokenizer.json")
	if err == nil && tokenizer != nil {
		var config []byte
		if config, err = r.file(ctx, "tokenizer_config.json"); err == nil {
			m.tokenizer, err = tokenizers.Parse(tokenizer, config)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the model of %s: its tokenizer: %w", r.base, err)
	}
	return m, nil
}

// errStatus is a server's refusal.
type errStatus struct {
	status int
	reason string
}

func (e *errStatus) Error() string { return e.reason }

// file reads one of the model's files; nil where it has none.
func (r *remote) file(ctx context.Context, name string) ([]byte, error) {
	text, err := r.do(ctx, http.MethodGet, "/model/"+name, nil)
	var refused *errStatus
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return nil, nil
	}
	return text, err
}

// ask sends a question and reads the answer into out.
func (r *remote) ask(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("write the question: %w", err)
		}
	}
	text, err := r.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the server's answer to %s cannot be read: %w", path, err)
	}
	return nil
}

// Of the answers of a server: how large one may be, how often one that is busy is asked again, and how long is waited.
const (
	mostAnswer = 1 << 30
	busyTries  = 30
	busyWait   = 200 * time.Millisecond
)

func (r *remote) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for try := 1; ; try++ {
		text, err := r.once(ctx, method, path, body)
		var refused *errStatus
		if !errors.As(err, &refused) || refused.status != http.StatusServiceUnavailable || try == busyTries {
			return text, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(busyWait):
		}
	}
}

func (r *remote) once(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var failed *url.Error // whose text would repeat the address
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return nil, fmt.Errorf("the server's answer broke off: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		if json.Unmarshal(text, &problem) != nil || problem.Error == "" {
			problem.Error = "the server answers " + answer.Status
		}
		return nil, &errStatus{answer.StatusCode, problem.Error}
	}
	return text, nil
}

// activation is a number of an answer; what is not finite is written as a string.
type activation float32

// UnmarshalJSON implements json.Unmarshaler.
func (a *activation) UnmarshalJSON(text []byte) error {
	switch s := strings.Trim(string(text), `"`); s {
	case "Infinity", "-Infinity", "NaN":
		f, err := strconv.ParseFloat(s, 64)
		*a = activation(f)
		return err
	}
	f, err := strconv.ParseFloat(string(text), 32)
	if err != nil && !(errors.Is(err, strconv.ErrRange) && f == 0) {
		return fmt.Errorf("%q is no activation", text)
	}
	*a = activation(f)
	return nil
}

func floats(list []activation) []float32 {
	out := make([]float32, len(list))
	for i, a := range list {
		out[i] = float32(a)
	}
	return out
}

// promptsAtOnce is how many prompts one question has; longer calls ask several.
const promptsAtOnce = 1024

func (r *remote) activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	result := make([][]float32, 0, len(prompts))
	for from := 0; from < len(prompts); from += promptsAtOnce {
		to := min(len(prompts), from+promptsAtOnce)
		in := map[string]any{"layer": layer, "hook": hook, "neuron": index, "prompts": prompts[from:to]}
		if positions != nil {
			in["positions"] = positions[from:to]
		}
		var out struct{ Activations [][]activation }
		if err := r.ask(ctx, http.MethodPost, "/activations", in, &out); err != nil {
			return nil, err
		}
		if len(out.Activations) != to-from {
			return nil, fmt.Errorf("the server answered %d of %d prompts", len(out.Activations), to-from)
		}
		for _, row := range out.Activations {
			result = append(result, floats(row))
		}
	}
	return result, nil
}

// layerValues is about how many numbers one answer about a layer has.
const layerValues = 1 << 20

func (r *remote) layerActivations(ctx context.Context, layer int, hook string, width int,
	prompts [][]int) ([][][]float32, error) {
	var result [][][]float32
	for from := 0; from < len(prompts); {
		to, rows := from, 0
		for to < len(prompts) && (to == from || (rows+len(prompts[to]))*width <= layerValues) {
			rows += len(prompts[to])
			to++
		}
		var out struct{ Activations [][][]activation }
		in := map[string]any{"layer": layer, "hook": hook, "prompts": prompts[from:to]}
		if err := r.ask(ctx, http.MethodPost, "/layer_activations", in, &out); err != nil {
			return nil, err
		}
		if len(out.Activations) != to-from {
			return nil, fmt.Errorf("the server answered %d of %d prompts", len(out.Activations), to-from)
		}
		for _, prompt := range out.Activations {
			values := make([][]float32, len(prompt))
			for i, row := range prompt {
				values[i] = floats(row)
			}
			result = append(result, values)
		}
		from = to
	}
	return result, nil
}

// local returns the engine of a model that runs here.
func (m *Causal) local(what string) error {
	if m.server != nil {
		return fmt.Errorf("a server's model does not answer %s: open the model itself for that", what)
	}
	return nil
}
