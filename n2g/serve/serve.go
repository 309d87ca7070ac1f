package serve

import (
	"context"
	"crypto/subtle"
	"errors"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Model is the model that is kept warm. models.Causal is one.
type Model interface {
	n2g.LanguageModel
	DefaultHook() string
	// LayerActivations are those of all neurons of a layer: [prompt][position][neuron].
	LayerActivations(ctx context.Context, layer int, hook string, prompts [][]int) ([][][]float32, error)
}

// Options of a server.
type Options struct {
	// Model answers what is not stored; nil: only the store is shown. Layers and Neurons are its shape.
	Model           Model
	Layers, Neurons int
	Hook            string // where neurons are read; empty: the model's own
	Shown           []int  // the layers that have the hook, as an auto-encoder's has one; nil: all
	// Files hold the tokenizer's files, which a client reads, and Shape is what it needs to know of the model besides.
	Files fs.FS
	Shape any // of the model, as models.Config writes it
	// Masked varies words when neurons are explained; nil: they are not varied.
	Masked n2g.MaskedModel
	Store  *store.Store
	// Examples gives a neuron's top texts, to explain it; nil: callers bring their own. ExamplesName tells them from
	// others.
	Examples     run.Source
	ExamplesName string
	// Complete, where set, adds to an explanation that was made, such as its context graph.
	Complete func(ctx context.Context, e *n2g.Explanation) error
	// Index is what a pass over a corpus found; nil: none. TokenString is the text of its ids, the model's if it is nil.
	Index       *index.Index
	TokenString func(id int) string
	// Mining, where set, can make the index that is not there yet, or watch another process make it.
	Mining *Mining
	// Write lets pages start and stop runs, which write to the store.
	Write bool
	// Token, if not empty, must be part of the first request's address (?token=…), of a cookie or of an Authorization
	// header.
	Token string
	// Hosts are names, beside those of loopback, under which the server may be asked.
	Hosts   []string
	Version string
	Limits  Limits
	Log     *log.Logger // of what went wrong here; nil: nowhere
}

// Source is what a pass over a corpus gives: what Options has under the same names.
type Source struct {
	Examples     run.Source
	ExamplesName string
	Complete     func(ctx context.Context, e *n2g.Explanation) error
	Index        *index.Index
}

// Mining makes an index of a corpus.
type Mining struct {
	// Run makes it, or goes on with a pass that was stopped; layers is a list such as 0,2-5, empty for all. progress hears
	// how many windows of how many were run.
	Run func(ctx context.Context, layers string, progress func(done, windows int)) error
	// Watch tells how far a pass is, and whether a process, this or another, is at it.
	Watch func() (done, windows int, running bool)
	// Open opens the index, once it is there; fs.ErrNotExist before.
	Open func() (*Source, error)
}

// Limits bound what one request may cost. Zero fields are the defaults.
type Limits struct {
	Body    int64         // bytes of a request: 8 MiB
	Text    int           // bytes of a text: 20,000
	Prompts int           // of one request: 4,096
	Time    time.Duration // of an answer but an explanation: a minute
	AtWork  int           // requests that ask the model at a time: 32
	Waiting int           // requests that wait for that: 1,024
}

func (l Limits) resolved() Limits {
	if l.Body <= 0 {
		l.Body = 8 << 20
	}
	if l.Text <= 0 {
		l.Text = 20_000
	}
	if l.Prompts <= 0 {
		l.Prompts = 4096
	}
	if l.Time <= 0 {
		l.Time = time.Minute
	}
	if l.AtWork <= 0 {
		l.AtWork = 32
	}
	if l.Waiting <= 0 {
		l.Waiting = 1024
	}
	return l
}

// Server serves the workbench.
type Server struct {
	o       Options
	mux     *http.ServeMux
	handler http.Handler
	source  *atomic.Pointer[Source]
	catalog *catalog
	known   *explanations
	runner  *runner
	atWork  chan struct{}
	waiting atomic.Int64
	api     []operation
	openAPI []byte
}

// New makes a server. Close ends its runs.
func New(o Options) (*Server, error) {
	if o.Store == nil {
		return nil, errors.New("serve: a server needs a store: give one, which may be empty")
	}
	o.Limits = o.Limits.resolved()
	if o.Shown == nil {
		for layer := range o.Layers {
			o.Shown = append(o.Shown, layer)
		}
	}
	if o.Log == nil {
		o.Log = log.New(nothing{}, "", 0)
	}
	if o.TokenString == nil && o.Model != nil {
		o.TokenString = o.Model.TokenString
	}
	if o.Hook == "" && o.Model != nil {
		o.Hook = o.Model.DefaultHook()
	} else if identity, ok := o.Store.Identity(); ok && o.Hook == "" {
		o.Hook = identity.Hook
	}
	s := &Server{o: o, mux: http.NewServeMux(), atWork: make(chan struct{}, o.Limits.AtWork)}
	s.source = new(atomic.Pointer[Source])
	s.source.Store(&Source{Examples: o.Examples, ExamplesName: o.ExamplesName, Complete: o.Complete, Index: o.Index})
	s.catalog = newCatalog(o, s.source)
	s.known = &explanations{store: o.Store}
	s.runner = newRunner(o, s.catalog, s.source)
	s.api = s.operations()
	var err error
	if s.openAPI, err = describe(s.api, o.Version); err != nil {
		return nil, err
	}
	s.routes()
	s.handler = s.guard(s.mux)
	return s, nil
}

// nothing is written to.
type nothing struct{}

func (nothing) Write(p []byte) (int, error) { return len(p), nil }

// Close ends what the server has begun. It does not close the store or the models.
func (s *Server) Close() error {
	return s.runner.close()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// HTTP returns the server for a listener, with limits for slow clients.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: s.o.Log,
	}
}

// policy of every answer: nothing of another origin, nothing inline, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// cookie holds the token after the first request.
const cookie = "n2g_token"

// guard refuses what does not come from whom the server is for.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if !s.knows(r.Host) {
			fail(w, http.StatusMisdirectedRequest, "this server is not asked under that name")
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) {
			fail(w, http.StatusForbidden, "pages of other origins may not ask this server")
			return
		}
		if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" && r.Method != http.MethodGet {
			fail(w, http.StatusForbidden, "pages of other origins may not ask this server")
			return
		}
		if s.o.Token != "" && !s.admits(w, r) {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, s.o.Limits.Body)
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				s.o.Log.Printf("%s %s: %v", r.Method, r.URL.Path, p)
				fail(w, http.StatusInternalServerError, "something went wrong here; the server's log says what")
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// knows tells whether a request names a host of this server.
func (s *Server) knows(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if name == "localhost" || slices.Contains(s.o.Hosts, name) {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host && (u.Scheme == "http" || u.Scheme == "https")
}

// admits checks the token. One in the address becomes a cookie, and the address loses it.
func (s *Server) admits(w http.ResponseWriter, r *http.Request) bool {
	equal := func(given string) bool { return subtle.ConstantTimeCompare([]byte(given), []byte(s.o.Token)) == 1 }
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && equal(bearer) {
		return true
	}
	if c, err := r.Cookie(cookie); err == nil && equal(c.Value) {
		return true
	}
	q := r.URL.Query()
	if !equal(q.Get("token")) {
		fail(w, http.StatusUnauthorized, "this server needs the token that n2g serve has printed with its address")
		return false
	}
	if r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, apiPrefix) {
		return true
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.o.Token, Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode})
	q.Del("token")
	r.URL.RawQuery = q.Encode()
	http.Redirect(w, r, r.URL.RequestURI(), http.StatusSeeOther)
	return false
}

// enter waits for one of the places at work, and returns the function that leaves it.
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	if s.waiting.Add(1) > int64(s.o.Limits.Waiting) {
		s.waiting.Add(-1)
		return nil, refuse(http.StatusServiceUnavailable, "too many requests wait already: try again in a moment")
	}
	defer s.waiting.Add(-1)
	select {
	case s.atWork <- struct{}{}:
		return func() { <-s.atWork }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
