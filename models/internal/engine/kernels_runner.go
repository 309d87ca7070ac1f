package engine

import (
	"context"
	"runtime"
)

func (k *kernelRunner) programs() int { return 0 }

// limit is how many rows a forest has: a few seconds' work, since the kernels look for the end of a context all the
// while, and the more of a call come together the more they share.
func (k *kernelRunner) limit() int {
	const work, least, most = 240e9, 512, 8192
	c := k.shape
	// A block's matrix products: queries, keys, values and output (4·d²) and the MLP, two operations an element.
	perRow := 2 * float64(c.Layers) * float64(4*c.DModel*c.DModel+2*c.DModel*c.DMLP)
	return int(min(max(work/perRow, least), most))
}

// choose picks groups in their order until they have rows enough to keep all workers busy: some blocks for each.
func (k *kernelRunner) choose(waiting []piece, _ int) []int {
	return chooseForest(waiting, 4*blockRows*runtime.GOMAXPROCS(0), k.limit())
}

// chooseForest picks groups in their order until they have enough rows, if they are no more than most.
func chooseForest(waiting []piece, enough, most int) (chosen []int) {
	rows := 0
	for i, p := range waiting {
		if i > 0 && rows >= enough {
			break
		}
		if i == 0 || rows+len(p.group.ids) <= most {
			chosen = append(chosen, i)
			rows += len(p.group.ids)
		}
	}
	return chosen
}

// run runs groups, of any callers and neurons of a layer, as one forest.
func (k *kernelRunner) run(ctx context.Context, t task, pieces []piece) (err error) {
	forest, asked := joined(pieces)
	width := 1
	var values []float32
	if t.kind == wideTask {
		width = k.shape.Width(t.hook)
		values, err = k.all(ctx, forest, t.layer, t.hook, asked)
	} else {
		values, err = k.column(ctx, forest, t.layer, t.hook, asked)
	}
	if err != nil {
		return err
	}
	for _, p := range pieces {
		n := len(p.rows) * width
		p.read(values[:n:n])
		values = values[n:]
	}
	return nil
}

// joined are the groups as one, without members, and its rows that are asked.
func joined(pieces []piece) (*group, []int32) {
	if len(pieces) == 1 {
		return pieces[0].group, pieces[0].rows
	}
	forest := &group{}
	var asked []int32
	for _, p := range pieces {
		first := int32(len(forest.ids))
		for _, parent := range p.group.parent {
			if parent >= 0 {
				parent += first
			}
			forest.parent = append(forest.parent, parent)
		}
		for _, row := range p.rows {
			asked = append(asked, first+row)
		}
		forest.ids = append(forest.ids, p.group.ids...)
		forest.depth = append(forest.depth, p.group.depth...)
		forest.index = append(forest.index, p.group.index...)
	}
	return forest, asked
}

// scan makes a batch of as many windows as fit into a forest.
func (k *kernelRunner) scan(s *scan) []piece {
	var batches []piece
	for end, row := 0, 0; end < len(s.windows); {
		first, firstRow := end, row
		for end < len(s.windows) && (end == first || row-firstRow+len(s.windows[end]) <= k.limit()) {
			row += len(s.windows[end])
			end++
		}
		part := s.windows[first:end]
		batches = append(batches, piece{alone: func(ctx context.Context) error { return k.scanned(ctx, part, firstRow, s) }})
	}
	return batches
}
