package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// given returns the examples that the flags name; nil asks for a search, in an index or a corpus.
func (f *explainFlags) given(a *app) ([]n2g.Examples, error) {
	sources := 0
	if f.text.given() {
		sources++
	}
	for _, flag := range []*string{f.examples, f.corpus, f.index} {
		if *flag != "" {
			sources++
		}
	}
	switch {
	case sources > 1:
		return nil, errors.New("give one of -text, -file, -examples, -index and -corpus")
	case *f.examples != "":
		data, err := a.read(*f.examples)
		if err != nil {
			return nil, err
		}
		list, err := parseExamples(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", *f.examples, err)
		}
		return f.choose(list)
	case *f.layer < 0 || *f.neuron < 0:
		return nil, errors.New("name the neuron with -layer NUMBER and -neuron NUMBER, both from 0")
	case *f.index != "":
		return nil, nil
	case !f.text.given():
		return nil, nil
	}
	text, err := f.text.readUTF8(a)
	if err != nil {
		return nil, err
	}
	return []n2g.Examples{{Site: f.neuronSite(), Prompts: []string{text}}}, nil
}

// neuronSite is the neuron that the flags name.
func (f *explainFlags) neuronSite() n2g.Site {
	return n2g.Site{Layer: *f.layer, Index: *f.neuron, Hook: *f.hook}
}

// choose keeps the examples of the neuron that the flags name, or all where they name none.
func (f *explainFlags) choose(list []n2g.Examples) ([]n2g.Examples, error) {
	var kept []n2g.Examples
	for _, examples := range list {
		if (*f.layer < 0 || examples.Site.Layer == *f.layer) && (*f.neuron < 0 || examples.Site.Index == *f.neuron) {
			if *f.hook != "" {
				examples.Site.Hook = *f.hook
			}
			kept = append(kept, examples)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%s holds no examples of the neuron that -layer and -neuron name", *f.examples)
	}
	return kept, nil
}

// parseExamples reads JSON objects one after the other.
func parseExamples(data []byte) ([]n2g.Examples, error) {
	const layout = `{"layer": 0, "neuron": 0, "max_activation": 1.5, "prompts": ["a text", …]}`
	if err := checkUTF8(data); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var list []n2g.Examples
	for {
		var line json.RawMessage
		var named struct {
			Site          *string
			Layer, Neuron *int
		}
		var examples n2g.Examples
		err := decoder.Decode(&line)
		if err == nil {
			err = cmp.Or(json.Unmarshal(line, &examples), json.Unmarshal(line, &named))
		}
		switch {
		case errors.Is(err, io.EOF) && len(list) > 0:
			return list, nil
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("no examples in it; it holds objects like %s", layout)
		case err != nil:
			return nil, fmt.Errorf("object %d: %w; it should be like %s", len(list)+1, jsonComplaint(err), layout)
		case named.Site == nil && (named.Layer == nil || named.Neuron == nil):
			return nil, fmt.Errorf("object %d lacks layer or neuron; it should be like %s", len(list)+1, layout)
		case len(examples.Prompts) == 0:
			return nil, fmt.Errorf("object %d has no prompts; it should be like %s", len(list)+1, layout)
		case examples.MaxActivation < 0:
			return nil, fmt.Errorf("object %d has max_activation %g; it is positive, or absent for the highest of the prompts",
				len(list)+1, examples.MaxActivation)
		case slices.ContainsFunc(examples.TestOnly, func(i int) bool { return i < 0 || i >= len(examples.Prompts) }):
			return nil, fmt.Errorf("object %d has test_only %v; they are numbers from 0 to %d, of its prompts", len(list)+1,
				examples.TestOnly, len(examples.Prompts)-1)
		}
		list = append(list, examples)
	}
}

// search finds the neuron's examples: in the index of -index, in the corpus of -corpus, or in the sample of text that
// is part of the program, of which there is an index for tiny.
func (f *explainFlags) search(ctx context.Context, a *app, model siteModel) (*n2g.Examples, error) {
	site := f.neuronSite()
	if *f.index != "" || *f.corpus == "" && isTiny(model) {
		x, err := openIndex(*f.index)
		if err != nil {
			return nil, err
		}
		defer x.Close() // it is only read
		if err := sameModel(x, model, *f.index); err != nil {
			return nil, err
		}
		if _, err := x.Meta().Number(site.Layer, site.Hook, site.Index); err == nil || *f.index != "" {
			return corpus.Examples(x, model, site)
		} // else the search says which neurons there are
	}
	source := corpus.FS(tiny.Sample())
	var report *corpus.Report
	if *f.corpus != "" {
		var err error
		if source, _, report, err = openCorpus(*f.corpus, *f.field); err != nil {
			return nil, err
		}
	}
	progress := a.progress(-1)
	found, err := corpus.Top(ctx, model, site, source, corpus.Options{Progress: func(done, windows int) {
		progress.total = windows
		progress.update(done, "reading the corpus, windows")
	}})
	progress.end()
	if report != nil && err == nil {
		fmt.Fprintln(a.stderr, report)
	}
	return found, err
}

// sameModel refuses an index whose token ids another model means otherwise, or whose activations are another's, or of
// another auto-encoder or direction than stands beside it.
func sameModel(x *index.Index, model siteModel, path string) error {
	m := x.Meta()
	for _, site := range m.Sites {
		if here := besideOf(model, site.Hook); here != "" && site.Beside != "" && here != site.Beside {
			return fmt.Errorf("%s holds what %s fires on at layer %d, and this is %s: mine the corpus with it", path,
				site.Beside, site.Layer, here)
		}
	}
	const unknown = math.MaxInt32
	if n := model.Vocabulary(); n != m.Vocabulary && n != unknown && m.Vocabulary != unknown && path != "" {
		return fmt.Errorf("%s is an index of %s, of %d token ids, and %s has %d: mine the corpus with this model", path,
			m.Model, m.Vocabulary, model.Name(), n)
	}
	if m.Identity == "" || path == "" {
		return nil
	}
	identity, err := model.Fingerprint()
	if err != nil {
		return err
	}
	if identity != m.Identity && identity != "" {
		return fmt.Errorf("%s is an index of %s with other weights or another tokenizer than %s: mine the corpus with this "+
			"model", path, m.Model, model.Name())
	}
	return nil
}

func (a *app) readCasings(path string) (n2g.Casings, error) {
	if path == "" {
		return nil, nil
	}
	data, err := a.read(path)
	if err != nil {
		return nil, err
	}
	casings, err := n2g.LoadCasings(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return casings, nil
}

// readWords reads words between blanks, or a JSON list.
func (a *app) readWords(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := a.read(path)
	if err != nil {
		return nil, err
	}
	words, err := parseWords(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return words, nil
}

func parseWords(data []byte) ([]string, error) {
	if err := checkUTF8(data); err != nil {
		return nil, err
	}
	if text := strings.TrimSpace(string(data)); !strings.HasPrefix(text, "[") {
		return strings.Fields(text), nil
	}
	var words []string
	if err := json.Unmarshal(data, &words); err != nil {
		return nil, fmt.Errorf("no JSON list of words: %w", jsonComplaint(err))
	}
	return words, nil
}
