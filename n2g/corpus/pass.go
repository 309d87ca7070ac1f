package corpus

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"
)

// pass is one pass over a corpus.
type pass struct {
	model   Scanner
	options Options
	id      passID
	at      place // up to where found holds
	found   findings
	saved   time.Time
	torn    bool // found holds part of a batch
}

// place is a point in a corpus: behind some documents and some windows of the next.
type place struct {
	Documents int
	Windows   int
	Chain     [sha256.Size]byte // hash of those documents, and of the next where Windows is not 0
}

// past is the place behind one more document.
func (p place) past(text Text) place {
	h := sha256.New()
	h.Write(p.Chain[:])
	hashString(h, text.Name)
	hashString(h, text.Content)
	return place{Documents: p.Documents + 1, Chain: [sha256.Size]byte(h.Sum(nil))}
}

func hashString(h hash.Hash, s string) {
	fmt.Fprintf(h, "%d:", len(s)) // so that no two lists of strings are hashed alike
	io.WriteString(h, s)          //nolint:errcheck // a hash never fails
}

// run reads the source from the pass's place on.
func (p *pass) run(ctx context.Context, source Source) error {
	size, batchSize := p.options.window(p.model), p.options.batch()
	start := p.at
	var here place
	var batch []Window
	for text, err := range source {
		if err != nil {
			return err
		}
		next := here.past(text)
		switch {
		case here.Documents < start.Documents:
			if err := ctx.Err(); err != nil {
				return err
			}
			if next.Documents == start.Documents && start.Windows == 0 && next.Chain != start.Chain {
				return p.changed()
			}
			here = next
			continue
		case here.Documents == start.Documents && start.Windows > 0 && next.Chain != start.Chain:
			return p.changed()
		}
		number := 0
		for window, err := range windowsOf(p.model, text, size) {
			if err != nil {
				return err
			}
			if number++; here.Documents == start.Documents && number <= start.Windows {
				continue
			}
			if batch = append(batch, window); len(batch) == batchSize {
				if err := p.mine(ctx, batch, place{here.Documents, number, next.Chain}); err != nil {
					return err
				}
				batch = batch[:0]
			}
		}
		here = next
	}
	if here.Documents < start.Documents || here.Documents == start.Documents && start.Windows > 0 {
		return p.changed()
	}
	if len(batch) == 0 {
		p.at = here
		return nil
	}
	return p.mine(ctx, batch, here)
}

func (p *pass) changed() error {
	return fmt.Errorf("corpus: %s is no longer what the pass in %s began with: remove that file and begin anew", p.id.Corpus, p.options.Checkpoint)
}

// mine runs a batch and comes to a place.
func (p *pass) mine(ctx context.Context, batch []Window, to place) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	maxima, positions, err := p.model.Scan(ctx, p.id.Layers, p.id.Hook, prompts(batch))
	if err != nil {
		return err
	}
	p.torn = true
	if err := p.found.rank(p, batch, maxima, positions); err != nil {
		return err
	}
	if err := p.found.measure(ctx, p, batch); err != nil {
		return err
	}
	p.found.Windows += len(batch)
	for _, w := range batch {
		p.found.Tokens += len(w.IDs) - places(p.model)
	}
	p.torn = false
	p.at = to
	if p.options.Progress != nil {
		p.options.Progress(p.found.Windows)
	}
	if p.options.Checkpoint != "" && time.Since(p.saved) >= p.options.checkpointEvery() {
		return p.save()
	}
	return nil
}
