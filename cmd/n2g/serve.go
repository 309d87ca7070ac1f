package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/behaviours"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	n2grun "github.com/neuron2graph/neuron2graph/n2g/run"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// serveFlags are the flags of n2g serve and n2g site.
type serveFlags struct {
	model, masked, backend *string
	source                 sourceFlags
	context                contextFlags
	store                  *string
	address, corpus, field *string
	write                  *bool
}

func serveFlagsOf(c *command, kind pathKind) *serveFlags {
	return &serveFlags{
		model: modelFlag(c), backend: backendFlag(c), source: sourceFlagsOf(c), context: contextFlagsOf(c),
		masked: c.path(reads, "masked", "", varyingUsage),
		store: c.path(kind, "store", "", "`FILE` the store that n2g run made (default: for tiny, one in the user's cache, "+
			"made on first use)"),
	}
}

func (a *app) serve() *command {
	c := newCommand("serve", "open the workbench in a browser, and keep a model warm for programs")
	c.long = `Serves the explorer of a store's neurons, live text, and the API that docs/api.json describes, and prints the address to open.
With no flags it shows tiny, whose neurons are explained on first use: the page shows how far that is.

With -corpus, and with -index and the name of a file that is not there yet, the page "Run" mines the corpus into that
index (with -write), or shows how far another process is with it.

It only reads, unless -write lets pages begin runs into the store. It listens on this machine alone, unless -address says
otherwise: then the address that is printed holds a token, without which nothing is answered.`
	c.examples = []string{``, `-store run.db -model models/solu-6l -index solu.index`, `-store run.db -write`,
		`-store run.db -model smollm2 -corpus texts.jsonl.gz -index texts.n2g -write`, `-address 0.0.0.0:8080`}
	f := serveFlagsOf(c, fills)
	a.besideFlags(c)
	f.address = c.flags.String("address", "127.0.0.1:7711", "`HOST:PORT` to listen on; port 0 is any free one")
	f.corpus = c.path(reads, "corpus", "", "texts that pages may have mined into -index: "+corpusUsage)
	f.field = c.flags.String("field", "text", fieldUsage)
	f.write = c.flags.Bool("write", false, "let pages begin and stop runs and mining")
	c.run = func(ctx context.Context) error { return a.runServe(ctx, f) }
	return c
}

func (a *app) site() *command {
	c := newCommand("site", "write a store's explorer as files, to be opened from disk or put on any host")
	c.long = `Writes the explorer of a store's neurons, with a page for each, as files that need no server: open index.html, or copy the folder
to any static host. Nothing is loaded from elsewhere.`
	c.examples = []string{`-store run.db -o site`, `-o tiny-site`}
	f := serveFlagsOf(c, asks)
	a.besideFlags(c)
	out := c.path(writesInto, "o", "site", "`FOLDER` to write to, made if it is not there")
	c.run = func(ctx context.Context) (err error) {
		w, err := a.openWorkbench(ctx, f, true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.close()) }()
		bar := a.progress(0)
		written, err := serve.WriteSite(ctx, w.options, *out, func(done, of int) {
			bar.total = of
			bar.update(done, "writing pages")
		})
		bar.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s: %d files, %.1f MB; open %s\n", *out, written.Files, float64(written.Bytes)/1e6,
			filepath.Join(*out, "index.html"))
		return nil
	}
	return c
}

// workbench is what a server shows, opened.
type workbench struct {
	options serve.Options
	first   bool // the store has nothing yet, and is to be filled
	closers []func() error
}

func (w *workbench) close() (err error) {
	for i := len(w.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, w.closers[i]())
	}
	return err
}

// openWorkbench opens the store, the models and the examples that flags name. A site asks no model.
func (a *app) openWorkbench(ctx context.Context, f *serveFlags, readOnly bool) (_ *workbench, err error) {
	w := &workbench{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if err := f.context.check(); err != nil {
		return nil, err
	}
	path, own := *f.store, false
	if path == "" {
		if *f.model != tiny.Name {
			return nil, fmt.Errorf("say where the neurons of %s are: -store FILE, which n2g run -model %[1]s makes", *f.model)
		}
		if path, err = tinyStore(f.context); err != nil {
			return nil, err
		}
		_, missing := os.Stat(path)
		if readOnly && missing != nil {
			return nil, errors.New("tiny's neurons are not explained yet: n2g serve does that on first use, or give -store FILE")
		}
		own = true
	}
	write := !readOnly && (own || f.write != nil && *f.write)
	s, err := store.Open(path, store.Options{ReadOnly: !write})
	var locked *store.LockedError
	if own && errors.As(err, &locked) { // another server fills it, which is watched
		write = false
		s, err = store.Open(path, store.Options{ReadOnly: true})
	}
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, s.Close)
	w.options = serve.Options{Store: s, Write: write, Version: versionText(), Log: log.New(a.stderr, "n2g: ", 0)}
	identity, known := s.Identity()
	w.options.Hook = identity.Hook
	if known && *f.model == tiny.Name && identity.Model != tiny.Name && !own {
		// The store is of a model that was not named, so that only the store can be shown.
		fmt.Fprintf(a.stderr, "n2g: the store is of %s; -model opens it too, for live text\n", identity.Model)
		return w, nil
	}
	if err := a.warm(f, w); err != nil {
		return nil, err
	}
	if own && write {
		done, err := s.Done(ctx)
		if err != nil {
			return nil, err
		}
		failed, err := s.Failures(ctx)
		if err != nil {
			return nil, err
		}
		planned, err := s.Planned(ctx)
		if err != nil {
			return nil, err
		}
		w.first = len(planned) == 0 || len(done)+len(failed) < len(planned)
	}
	return w, nil
}

// warm opens the models and the examples.
func (a *app) warm(f *serveFlags, w *workbench) error {
	model, err := a.openModel(*f.model, *f.backend)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, model.Close)
	o := &w.options
	o.Model, o.Layers = &steerable{Causal: model}, model.Config().Layers
	o.Files, o.Shape = model.Files(), model.Config()
	if o.Hook == "" {
		o.Hook = model.DefaultHook()
	}
	first := 0
	if s := model.SAE(); s != nil { // whose features are those of one layer
		first = s.Layer
	}
	if o.Neurons, err = model.Width(first, o.Hook); err != nil {
		return err
	}
	for layer := range o.Layers {
		if _, err := model.Width(layer, o.Hook); err == nil {
			o.Shown = append(o.Shown, layer)
		}
	}
	masked, done, err := a.openVarying(*f.masked, *f.backend, model)
	if err != nil {
		return err
	}
	w.closers = append(w.closers, func() error { done(); return nil })
	o.Masked = masked
	if *f.model != tiny.Name && *f.source.index == "" && *f.source.examples == "" {
		return nil // explanations need examples that callers bring
	}
	open := func() (*serve.Source, error) {
		source, err := f.source.open(a, model, *f.model)
		if err != nil {
			return nil, err
		}
		return a.sourceOf(f, model, o.Hook, source)
	}
	if _, err := os.Stat(*f.source.index); errors.Is(err, fs.ErrNotExist) && f.corpus != nil && *f.corpus != "" {
		o.Mining = a.mining(f, model, open)
		return nil
	}
	source, err := open()
	if err != nil {
		return err
	}
	o.Examples, o.ExamplesName, o.Index, o.Complete = source.Examples, source.ExamplesName, source.Index, source.Complete
	return nil
}

// sourceOf is what a server explains neurons from.
func (a *app) sourceOf(f *serveFlags, model *models.Causal, hook string,
	source *exampleSource) (*serve.Source, error) {
	s := &serve.Source{Examples: source.examples, ExamplesName: source.identity, Index: source.index}
	attribute := &attributor{model: model, tokens: effects.DefaultTokens}
	s.Complete = func(ctx context.Context, e *n2g.Explanation) error {
		if err := source.addBehaviours(ctx, model, e, behaviours.DefaultExamples); err != nil {
			return err
		}
		return attribute.complete(ctx, e)
	}
	if source.index != nil && f.context.wanted() {
		s.ExamplesName += f.context.identity() // as n2g run has it, so that its stores can be gone on with
		// What it opens serves as long as the server does.
		explainer, _, err := f.context.explainer(source.index, model)
		if err != nil {
			return nil, err
		}
		after := s.Complete
		s.Complete = func(ctx context.Context, e *n2g.Explanation) error {
			if err := explainer.Complete(ctx, e, f.context.asker(model, e)); err != nil {
				return err
			}
			return after(ctx, e)
		}
	}
	if beside := model.Beside(hook); beside != "" {
		s.ExamplesName += ", " + beside
	}
	return s, nil
}

// mining makes the index of the corpus, as n2g mine does without flags.
func (a *app) mining(f *serveFlags, model *models.Causal, open func() (*serve.Source, error)) *serve.Mining {
	out := resolved(*f.source.index)
	return &serve.Mining{
		Run: func(ctx context.Context, list string, progress func(done, windows int)) error {
			ranges, err := n2grun.ParseRanges(list)
			if err != nil {
				return err
			}
			layers, err := chosenLayers(ranges, model.Config().Layers)
			if err != nil {
				return err
			}
			source, identity, report, err := openCorpus(*f.corpus, *f.field)
			if err != nil {
				return err
			}
			return corpus.Mine(ctx, model, layers, nil, source, out,
				corpus.Options{Corpus: identity, Report: report, Progress: progress})
		},
		Watch: func() (done, windows int, running bool) { return index.Progress(out, corpus.Unfinished(out)) },
		Open: func() (*serve.Source, error) {
			if _, err := os.Stat(out); err != nil {
				return nil, err
			}
			return open()
		},
	}
}

// tinyStore is where the embedded model's neurons are kept once they are explained.
func tinyStore(c contextFlags) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to keep tiny's neurons in: give -store FILE: %w", err)
	}
	folder := filepath.Join(cache, "n2g")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of tiny's neurons: %w", err)
	}
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		return "", err
	}
	defer model.Close()
	print, err := model.Fingerprint()
	if err != nil {
		return "", err
	}
	x, err := openIndex("")
	if err != nil {
		return "", err
	}
	made := sha256.Sum256([]byte(print + x.Digest() + c.identity() + ", effects")) // stores made otherwise are others
	return filepath.Join(folder, fmt.Sprintf("tiny-%x.db", made[:4])), nil
}

func (a *app) runServe(ctx context.Context, f *serveFlags) (err error) {
	w, err := a.openWorkbench(ctx, f, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	listener, err := net.Listen("tcp", *f.address)
	if err != nil {
		return fmt.Errorf("-address %s: %w", *f.address, err)
	}
	defer listener.Close()
	address := "http://" + listener.Addr().String() + "/"
	if host, _, err := net.SplitHostPort(*f.address); err == nil && !loopback(host) {
		w.options.Token = rand.Text()
		if w.options.Hosts, err = hosts(host); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		address = fmt.Sprintf("http://%s/?token=%s", net.JoinHostPort(w.options.Hosts[0], port), w.options.Token)
	}
	server, err := serve.New(w.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if w.first {
		if err := server.StartRun(serve.RunRequest{}); err != nil {
			return err
		}
		fmt.Fprintln(a.stderr, "n2g: tiny's neurons are explained now, which takes some minutes; the pages show how far "+
			"that is")
	}
	fmt.Fprintln(a.stdout, address)
	h := server.HTTP()
	base, end := context.WithCancel(ctx)
	h.BaseContext = func(net.Listener) context.Context { return base }
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener) }()
	select {
	case err := <-ended:
		end()
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	end() // streams of events end, and so do answers that wait for the model
	stop, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := h.Shutdown(stop); err != nil && !errors.Is(err, http.ErrServerClosed) {
		h.Close()
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hosts are the names under which a server beyond loopback is asked: what was given, or all of the machine's.
func hosts(host string) ([]string, error) {
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return []string{host}, nil
	}
	var list []string
	if name, err := os.Hostname(); err == nil {
		list = append(list, name)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the machine's addresses cannot be listed: %w", err)
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && !network.IP.IsLinkLocalUnicast() {
			list = append(list, network.IP.String())
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the machine has no address but loopback")
	}
	return list, nil
}
