package serve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Written says what [WriteSite] wrote.
type Written struct {
	Files int
	Bytes int64
}

// siteRow is a row of a site's table, with the tokens that are searched: those of both graphs by their numbers in the
// shard's words, and those that the neuron promotes.
type siteRow struct {
	Row
	Activating string `json:"activating,omitempty"`
	Important  string `json:"important,omitempty"`
	Promotes   string `json:"promotes,omitempty"`

	sets n2g.TokenSets
}

// number36 gives words their numbers, the commonest first, and writes each row's in the shortest way: ascending, each
// as what it is more than the one before, to the base 36.
func number36(rows []siteRow) (words []string) {
	uses := map[string]int{}
	for _, r := range rows {
		for _, token := range slices.Concat(r.sets.Activating, r.sets.Important) {
			uses[token]++
		}
	}
	words = slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(a, b))
	})
	numbers := map[string]int{}
	for i, word := range words {
		numbers[word] = i
	}
	for i := range rows {
		r := &rows[i]
		for _, kind := range []struct {
			into   *string
			tokens []string
		}{{&r.Activating, r.sets.Activating}, {&r.Important, r.sets.Important}} {
			list := make([]int, len(kind.tokens))
			for k, token := range kind.tokens {
				list[k] = numbers[token]
			}
			slices.Sort(list)
			var b strings.Builder
			before := 0
			for k, n := range list {
				if k > 0 {
					b.WriteByte(' ')
				}
				b.WriteString(strconv.FormatInt(int64(n-before), 36))
				before = n
			}
			*kind.into = b.String()
		}
	}
	return words
}

// rounded is a value of the table to five digits, which is more than is shown.
func rounded(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	if err != nil {
		return v
	}
	return short
}

// round rounds the values of a row.
func (r *Row) round() {
	r.Maximum = rounded(r.Maximum)
	for _, v := range []**float64{&r.Density, &r.F1, &r.Lead, &r.ContextF1, &r.ContextLead} {
		if *v != nil {
			*v = new(rounded(**v))
		}
	}
}

// shardRows is how many rows of the table one file has.
const shardRows = 4096

// marker is the file that tells a site from other folders; it says how many shards the table has.
const marker = "data/site.js"

// WriteSite writes the explorer of a store as files into a folder: index.html, a page for each neuron, the table in
// shards, one style sheet and one script. It works from disk and on any host; no model is asked. A folder that holds
// something else is refused. progress may be nil.
func WriteSite(ctx context.Context, o Options, folder string, progress func(done, of int)) (*Written, error) {
	if o.TokenString == nil && o.Model != nil {
		o.TokenString = o.Model.TokenString
	}
	o.Model, o.Write = nil, false
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	defer s.Close() // it has begun nothing
	w := &siteWriter{folder: folder}
	if err := w.claim(); err != nil {
		return nil, err
	}
	table, err := s.catalog.table(ctx)
	if err != nil {
		return nil, err
	}
	info, err := s.info(ctx, nil)
	if err != nil {
		return nil, err
	}
	var rows []siteRow
	shards := 0
	flush := func() error {
		words, err := json.Marshal(number36(rows))
		if err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
		text, err := json.Marshal(rows)
		if err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
		rows = rows[:0]
		shards++
		return w.write(fmt.Sprintf("data/rows-%d.js", shards-1),
			slices.Concat([]byte("n2gRows("), text, []byte(","), words, []byte(")")))
	}
	for i, r := range table.rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := &view{Page: "neuron", Static: true, Root: "../../", Home: "../../index.html", Info: info}
		if err := s.fill(ctx, v, n2g.Site{Layer: r.Layer, Index: r.Neuron}, true); err != nil {
			return nil, err
		}
		row := siteRow{Row: r}
		row.round()
		if r.State == "explained" {
			e, err := s.stored(ctx, n2g.Site{Layer: r.Layer, Index: r.Neuron})
			if err != nil {
				return nil, err
			}
			row.sets = tokensOf(e.Explanation)
			if e.Effects != nil {
				var words []string
				for _, t := range e.Effects.Promoted {
					words = append(words, visible(t.Token))
				}
				row.Promotes = strings.Join(words, " ")
			}
		}
		text, err := render(v)
		if err != nil {
			return nil, err
		}
		if err := w.write(fmt.Sprintf("neurons/%d/%d.html", r.Layer, r.Neuron), text); err != nil {
			return nil, err
		}
		if rows = append(rows, row); len(rows) == shardRows {
			if err := flush(); err != nil {
				return nil, err
			}
		}
		if progress != nil {
			progress(i+1, len(table.rows))
		}
	}
	if len(rows) > 0 {
		if err := flush(); err != nil {
			return nil, err
		}
	}
	if err := s.siteFrame(ctx, w, info, shards); err != nil {
		return nil, err
	}
	return &w.written, nil
}

// siteFrame writes what is there once.
func (s *Server) siteFrame(ctx context.Context, w *siteWriter, info *Info, shards int) error {
	v := &view{Page: "explorer", Title: "Neurons", Static: true, Home: "index.html", Info: info,
		Kinds: []string{"lively", "dense", "dead"}, States: []string{"explained", "failed", "open"}}
	var err error
	if v.Table, err = s.neurons(ctx, &v.Listing); err != nil {
		return err
	}
	v.furnish(func(func(url.Values)) string { return "index.html" })
	if err := s.layers(ctx, v); err != nil {
		return err
	}
	index, err := render(v)
	if err != nil {
		return err
	}
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		text, err := asset(name)
		if err != nil {
			return err
		}
		if err := w.write(name, text); err != nil {
			return err
		}
	}
	if err := w.write(marker, fmt.Appendf(nil, "window.n2gSite = {shards: %d};\n", shards)); err != nil {
		return err
	}
	return w.write("index.html", index)
}

// tokensOf are the tokens of both graphs of an explanation, each once, as a store is searched for them.
func tokensOf(e *n2g.Explanation) n2g.TokenSets {
	sets, inContext := n2g.NewTokenSets(e.Trie), e.Context.TokenSets()
	either := func(a, b []string) []string {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}
	return n2g.TokenSets{Activating: either(sets.Activating, inContext.Activating),
		Important: either(sets.Important, inContext.Important)}
}

// siteWriter writes files below a folder.
type siteWriter struct {
	folder  string
	written Written
}

// claim makes the folder, or makes sure that it holds a site or nothing.
func (w *siteWriter) claim() error {
	entries, err := os.ReadDir(w.folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(w.folder, 0o755); err != nil {
			return fmt.Errorf("making the site's folder: %w", err)
		}
		return w.write(marker, nil)
	case err != nil:
		return fmt.Errorf("the site's folder: %w", err)
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(w.folder, filepath.FromSlash(marker))); err != nil {
			return fmt.Errorf("%s holds something that is no site: name an empty folder, or one that is not there", w.folder)
		}
	}
	return w.write(marker, nil)
}

// write writes a file whole, or leaves the one that was there.
func (w *siteWriter) write(name string, text []byte) error {
	path := filepath.Join(w.folder, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the site: %w", err)
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		w.count(text)
		return nil
	}
	part := path + ".part"
	if err := os.WriteFile(part, text, 0o644); err != nil {
		return fmt.Errorf("writing the site: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("writing the site: %w", err)
	}
	w.count(text)
	return nil
}

func (w *siteWriter) count(text []byte) {
	if len(text) > 0 {
		w.written.Files++
		w.written.Bytes += int64(len(text))
	}
}
