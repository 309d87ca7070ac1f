package index

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/neuron2graph/neuron2graph/n2g/internal/lock"
)

// Work is an index that grows in a folder: the corpus, and parts, each of some windows, that appear whole or not at
// all. Killed at any instant, it goes on behind the last part. It ends with the bytes that one uninterrupted run makes.
type Work struct {
	folder  string
	held    *lock.Lock
	corpus  *Index
	options Options
	sites   []Site
	parts   []*Index
	next    int // number of the next part
	flushed time.Time
	*Collector
}

const (
	corpusFile = "corpus"
	partPrefix = "part-"
	unfinished = ".tmp" // what a file is called while it is written
)

// OpenWork takes up the work in a folder, or begins it. build gives the corpus, which is read anew each time: where the
// folder holds another, or was begun with other neurons or options, that is refused, unless restart throws away what it
// holds. Nobody else can write to out, or have the folder, until Close.
func OpenWork(out, folder string, restart bool, corpus Corpus, sites []Site, o Options,
	build func(*CorpusBuilder) error) (opened *Work, err error) {
	held, err := lock.Acquire(out)
	if errors.As(err, new(*lock.HeldError)) {
		return nil, fmt.Errorf("index: the pass in %s goes on already: %w: wait for it to end, or write to another file",
			folder, err)
	}
	if err != nil {
		return nil, fmt.Errorf("index: %s cannot be written: %w: choose another place", out, err)
	}
	w := &Work{folder: folder, held: held, options: o, sites: sites, flushed: time.Now()}
	defer func() {
		if err != nil {
			w.Close()         // the other error is told
			os.Remove(folder) // fails, rightly, unless it is empty
		}
	}()
	if restart {
		if err := removeWork(folder); err != nil {
			return nil, err
		}
	}
	if info, err := os.Lstat(folder); err == nil && !info.IsDir() {
		return nil,
			fmt.Errorf(
				"index: %s is what an earlier version of the program left of an unfinished pass: remove it and begin anew", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	if err := w.openCorpus(corpus, build); err != nil {
		return nil, err
	}
	if w.Collector, err = NewCollector(w.corpus, sites, o); err != nil {
		return nil, err
	}
	return w, w.takeUp()
}

// openCorpus makes the corpus, and compares it with that which the folder holds.
func (w *Work) openCorpus(corpus Corpus, build func(*CorpusBuilder) error) error {
	spools := map[string]io.ReadWriter{}
	defer func() {
		for _, s := range spools {
			s.(*spool).close()
		}
	}()
	for _, name := range corpusSections {
		file, err := os.Create(filepath.Join(w.folder, name+unfinished))
		if err != nil {
			return fmt.Errorf("index: %w", err)
		}
		spools[name] = &spool{file: file}
	}
	b := newCorpusBuilder(corpus, w.options, spools)
	if err := build(b); err != nil {
		return err
	}
	path := filepath.Join(w.folder, corpusFile)
	began, err := openAny(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%w; remove %s and begin anew", err, w.folder)
	default:
		defer began.Close() // it is only read
	}
	if err := writeFile(path+unfinished, b.writeTo); err != nil {
		return err
	}
	now, err := openAny(path + unfinished)
	if err != nil {
		return err
	}
	w.corpus = now
	if began != nil {
		if difference := differences(began.meta, now.meta); difference != "" {
			return fmt.Errorf("index: %s holds a pass that began otherwise (%s): go on as it began, or remove it and begin anew",
				w.folder, difference)
		}
	}
	if err := os.Rename(path+unfinished, path); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// differences names what distinguishes a pass that was begun from the one that is asked for.
func differences(began, asked Meta) string {
	began.Sites, asked.Sites, began.Covered, asked.Covered, began.Report, asked.Report = nil, nil, nil, nil, nil, nil
	var list []string
	compare := func(a, b reflect.Value) {
		for i := range a.NumField() {
			field := a.Type().Field(i)
			if name := field.Tag.Get("json"); name != "" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
				if name == "corpus_digest" {
					name = "the corpus"
					list = append(list, "the corpus is not what it was")
					continue
				}
				list = append(list, fmt.Sprintf("%s %v, not %v", name, a.Field(i), b.Field(i)))
			}
		}
	}
	compare(reflect.ValueOf(began.Corpus), reflect.ValueOf(asked.Corpus))
	compare(reflect.ValueOf(began), reflect.ValueOf(asked))
	return strings.Join(list, ", ")
}

// takeUp reads the parts that are there.
func (w *Work) takeUp() error {
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(w.folder, name)
		switch {
		case strings.HasSuffix(name, unfinished):
			os.Remove(path) // it is replaced when it is needed
		case strings.HasPrefix(name, partPrefix):
			p, err := openPart(path, w.corpus)
			if err != nil {
				return fmt.Errorf("%w; remove %s and begin anew", err, w.folder)
			}
			if !slices.Equal(p.meta.Sites, w.sites) {
				p.Close() // it is only read
				return fmt.Errorf("index: %s holds a pass that began otherwise (%s, not %s): go on as it began, or remove it and "+
					"begin anew",
					w.folder, p.meta.sites(), (&Meta{Sites: w.sites}).sites())
			}
			if difference := differences(w.corpus.meta, p.meta); difference != "" {
				return fmt.Errorf("index: %s holds parts of another pass (%s): remove it and begin anew", w.folder, difference)
			}
			if err := w.add(p); err != nil {
				return err
			}
		}
	}
	for i := range w.lists {
		if len(w.parts) > 0 {
			w.raise(i)
		}
	}
	return nil
}

// add takes a part that is written into account.
func (w *Work) add(p *Index) error {
	w.parts = append(w.parts, p)
	w.next = max(w.next, len(w.parts))
	for _, r := range p.meta.Covered {
		if err := w.Done(r[0], r[1]); err != nil {
			return err
		}
	}
	if w.earlier == nil {
		w.earlier = make([]uint32, len(w.counts))
	}
	for n := range w.neurons {
		one, err := p.neuron(n)
		if err != nil {
			return err
		}
		w.before[n].merge(one)
		for sign := range w.options.resolved().Signs {
			i := n*p.meta.Signs + sign
			r, err := p.listRecord(i)
			if err != nil {
				return err
			}
			h, err := p.histogram(r)
			if err != nil {
				return err
			}
			for b, count := range h.Counts {
				w.earlier[i*slots+1+h.First+b] += count
			}
			postings, err := p.postingsOf(n, sign)
			if err != nil {
				return err
			}
			l := &w.lists[i]
			l.floor = max(l.floor, r.level)
			l.top = best(append(l.top, w.corpus.topPeaks(postings, p.meta.Examples)...), p.meta.Examples)
		}
	}
	return nil
}

// Corpus is the corpus of the work, an index of no neuron.
func (w *Work) Corpus() *Index { return w.corpus }

// Missing are the ranges [first, end) of windows that are not done, of those in [first, end).
func (w *Work) Missing(first, end int) [][2]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	open := make([]bool, end)
	for i := first; i < end; i++ {
		open[i] = !w.covered[i]
	}
	return ranges(open)
}

// Flush writes what was collected as a part, if that takes more memory than bytes or the last part is older than a
// time. No window may be half done.
func (w *Work) Flush(bytes int64, age time.Duration) error {
	if 8*w.Collector.held.Load() < bytes && time.Since(w.flushed) < age {
		return nil
	}
	return w.flush()
}

// unwritten are the windows that are done and in no part.
func (w *Work) unwritten() [][2]int {
	covered := slices.Clone(w.covered)
	for _, p := range w.parts {
		for _, r := range p.meta.Covered {
			clear(covered[r[0]:r[1]])
		}
	}
	return ranges(covered)
}

func (w *Work) flush() error {
	w.flushed = time.Now()
	windows := w.unwritten()
	if len(windows) == 0 {
		return nil
	}
	for i := range w.lists {
		w.raise(i)
	}
	path := filepath.Join(w.folder, fmt.Sprintf("%s%06d", partPrefix, w.next))
	w.next++
	err := writeFile(path+unfinished, func(to io.Writer) error {
		return join(to, w.corpus, []source{collected{w.Collector, windows}}, w.options, part)
	})
	if err == nil {
		err = os.Rename(path+unfinished, path)
	}
	if err != nil {
		os.Remove(path + unfinished) // the other error is told
		return fmt.Errorf("index: what was found cannot be kept: %w; make room or choose another place: what was kept "+
			"before stays, and the pass goes on from it", err)
	}
	p, err := openPart(path, w.corpus)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, p)
	w.Collector.passOn()
	return nil
}

// passOn counts what was collected among what is written.
func (c *Collector) passOn() {
	if c.earlier == nil {
		c.earlier = make([]uint32, len(c.counts))
	}
	for i := range c.lists {
		c.settle(i)
	}
	for i, n := range c.counts {
		c.earlier[i] += n
	}
	clear(c.counts)
	for n := range c.neurons {
		c.before[n].merge(c.neurons[n])
		c.neurons[n] = noNeuron
	}
	for i := range c.lists {
		l := &c.lists[i]
		l.top = best(append(l.top, c.corpus.topPeaks(l.postings, c.options.Examples)...), c.options.Examples)
		l.postings = l.postings[:0]
	}
	for i := range c.sample {
		c.sample[i].values = nil
	}
	c.held.Store(0)
}

// Write ends the work: a whole index at path, which appears whole or not at all, or a shard of the windows that are
// done. The folder stays until [Work.Remove]; where the index cannot be written, all that was found is kept there.
func (w *Work) Write(path string, onlyShard bool) error {
	as := whole
	if onlyShard {
		as = shard
	}
	sources := make([]source, len(w.parts), len(w.parts)+1)
	for i, p := range w.parts {
		sources[i] = filed{p}
	}
	if windows := w.unwritten(); len(windows) > 0 {
		sources = append(sources, collected{w.Collector, windows})
	}
	err := replaceFile(path, func(to io.Writer) error { return join(to, w.corpus, sources, w.options, as) })
	if err != nil {
		return errors.Join(err, w.flush())
	}
	return nil
}

// Close gives up the folder, which stays. What was not flushed is lost.
func (w *Work) Close() error {
	var errs []error
	for _, p := range w.parts {
		errs = append(errs, p.Close())
	}
	if w.corpus != nil {
		errs = append(errs, w.corpus.Close())
	}
	w.parts, w.corpus = nil, nil
	held := w.held
	w.held = nil
	return errors.Join(append(errs, held.Release())...)
}

// Remove removes the folder of a work that is closed, and whose index is written.
func (w *Work) Remove() error { return removeWork(w.folder) }

// removeWork removes what a work left in a folder. There may be nothing.
func removeWork(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name == corpusFile || strings.HasPrefix(name, partPrefix) ||
			strings.HasSuffix(name, unfinished) {
			if err := os.Remove(filepath.Join(folder, name)); err != nil {
				return fmt.Errorf("index: %w", err)
			}
		}
	}
	if err := os.Remove(folder); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// openAny opens a whole index, a shard or a corpus.
func openAny(path string) (*Index, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	x, err := read(data)
	if err != nil {
		unmap() // the other error is told
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x.close = unmap
	return x, nil
}

// openPart opens a part of a corpus.
func openPart(path string, corpus *Index) (*Index, error) {
	p, err := openAny(path)
	if err != nil {
		return nil, err
	}
	if p.meta.CorpusDigest != corpus.meta.CorpusDigest {
		p.Close() // the other error is told
		return nil, fmt.Errorf("index: %s is of another corpus", path)
	}
	p.windows, p.sample = corpus.windows, corpus.sample
	return p, p.placeSample()
}

// writeFile writes a file through to the disk.
func writeFile(path string, content func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	buffer := bufio.NewWriterSize(file, 1<<20)
	err = content(buffer)
	if err == nil {
		err = buffer.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// replaceFile makes a file appear whole, or leaves what was there.
func replaceFile(path string, content func(io.Writer) error) error {
	temporary := path + unfinished
	err := writeFile(temporary, content)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		os.Remove(temporary) // the other error is told
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Merge joins shards of one corpus, by windows, by layers or by both, to the index that one run makes.
func Merge(out string, paths []string) (err error) {
	held, err := lock.Acquire(out)
	if err != nil {
		return fmt.Errorf("index: %s cannot be written: %w", out, err)
	}
	defer func() { err = errors.Join(err, held.Release()) }()
	var sources []source
	var first *Index
	for _, path := range paths {
		x, err := openAny(path)
		if err != nil {
			return err
		}
		defer x.Close() // it is only read
		if !x.hasCorpus() || len(x.meta.Sites) == 0 {
			return fmt.Errorf("index: %s holds no neurons of a corpus: name indexes and shards that n2g mine made", path)
		}
		if first == nil {
			first = x
		} else if difference := differences(first.meta, x.meta); difference != "" {
			return fmt.Errorf("index: %s and %s are no parts of one index (%s)", paths[0], path, difference)
		}
		sources = append(sources, filed{x})
	}
	if first == nil {
		return errors.New("index: nothing to merge: name the shards")
	}
	m := first.meta
	o := Options{Keep: m.Keep, Dense: m.Dense, Examples: m.Examples, SampleEvery: m.SampleEvery, Signs: m.Signs,
		NoSuffixes: m.NoSuffixes}
	return replaceFile(out, func(to io.Writer) error { return join(to, first, sources, o, whole) })
}

// Thin makes of a whole index a smaller one, in memory, that keeps less. What is known of all tokens stays as it is.
func Thin(x *Index, o Options) ([]byte, error) {
	var file bytes.Buffer
	err := join(&file, x, []source{filed{x}}, o, whole)
	return file.Bytes(), err
}

// spool is a temporary file that is written, then read from its beginning.
type spool struct {
	file *os.File
	buf  []byte
}

func (s *spool) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	if len(s.buf) < 1<<16 {
		return len(p), nil
	}
	return len(p), s.flush()
}

func (s *spool) flush() error {
	_, err := s.file.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func (s *spool) Read(p []byte) (int, error) { return s.file.Read(p) }

func (s *spool) rewind() io.Reader {
	err := s.flush()
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return failing{err}
	}
	return s.file
}

func (s *spool) close() {
	s.file.Close()           // it is not needed any more
	os.Remove(s.file.Name()) // the next pass replaces it
}

// failing gives nothing but its error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
