package engine

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/queue"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// Causal answers what the neurons of a causal model do on prompts with no work that nobody reads: it stops at the site
// asked, computes equal prefixes of a call's prompts once, brings only what was asked back from the device, and merges
// what concurrent callers wait for into full batches. Callers have checked what they ask.
type Causal struct {
	shape      transformer.Decoder
	parameters *parameters
	runner     runner
	queue      *queue.Queue[task, piece]
	embeddings func() (*embeddingTable, error)
}

// runner is a way to compute.
type runner interface {
	// limit is the most rows of a group, unless a prompt is longer.
	limit() int
	// choose picks groups for the next batch of those that wait for one task, the first among them; shares is how many
	// workers share them.
	choose(waiting []piece, shares int) []int
	// run computes a task on the rows asked of groups.
	run(ctx context.Context, t task, pieces []piece) error
	// scan are the batches that run windows for a scan.
	scan(s *scan) []piece
	// cache runs a prompt through the whole model and keeps every value.
	cache(ctx context.Context, ids []int) (*Cache, error)
	// hidden runs a group through all layers: the residual stream behind them on rows, ascending, [row, d_model].
	hidden(ctx context.Context, g *group, rows []int32) ([]float32, error)
	// unembed computes the logits of n rows of the residual stream, which it may change, behind the final norm if normed
	// says so, to dst, [row, d_vocab].
	unembed(ctx context.Context, dst, x []float32, n int, normed bool) error
	// programs is how many programs were compiled.
	programs() int
}

// inFlight is how many batches run at a time: one's loose ends are another's work.
const inFlight = 2

// New prepares a model of a shape on a backend. No weights are read yet.
func New(shape transformer.Decoder, backend compute.Backend, info backends.Info, files safetensors.Weights,
	l weights.Layout) (*Causal, error) {
	p := newParameters(backend, files, l)
	if err := p.check(shape.Parameters()); err != nil {
		return nil, err
	}
	e := &Causal{shape: shape, parameters: p, runner: newProgramRunner(shape, p)}
	e.embeddings = sync.OnceValues(e.readEmbeddings)
	if info.Name == backends.Go {
		kernels, err := newKernelRunner(shape, p)
		if err != nil {
			return nil, err
		}
		e.runner = kernels
	}
	e.queue = queue.New(queue.Config[task, piece]{Workers: inFlight, Calls: mostCalls, Choose: e.choose, Run: e.run})
	return e, nil
}

// UsePrograms makes the model answer through compiled programs on every backend; for tests, before anything is asked.
func (e *Causal) UsePrograms() { e.runner = newProgramRunner(e.shape, e.parameters) }

// Exact says whether answers are the same to the last bit whatever else is asked at the same time.
func (e *Causal) Exact() bool {
	_, exact := e.runner.(*kernelRunner)
	return exact
}

// Programs is how many programs were compiled so far.
func (e *Causal) Programs() int { return e.runner.programs() }

// Close ends what waits and what runs, and releases the weights.
func (e *Causal) Close() error {
	e.queue.Close()
	return e.parameters.close()
}

// Activations computes one neuron a request at its positions.
func (e *Causal) Activations(ctx context.Context, layer int, hook string, requests []Request) ([][]float32, error) {
	result := make([][]float32, len(requests))
	err := e.ask(ctx, task{columnTask, layer, hook}, requests, func(i, _ int, value []float32) {
		result[i] = append(result[i], value[0])
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// LayerActivations computes every neuron of a layer at the requests' positions: [request][position][d_mlp].
func (e *Causal) LayerActivations(ctx context.Context, layer int, hook string, requests []Request) ([][][]float32,
	error) {
	result := make([][][]float32, len(requests))
	err := e.ask(ctx, task{wideTask, layer, hook}, requests, func(i, width int, values []float32) {
		result[i] = append(result[i], values[:width:width])
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// ask shares the requests' prefixes and runs the groups beside those of other callers. take is told of each request's
// values, [width] a position, in the order of the question; calls for different requests come at the same time.
func (e *Causal) ask(ctx context.Context, t task, requests []Request,
	take func(request, width int, values []float32)) error {
	groups := sharePrefixes(requests, e.runner.limit())
	slices.SortStableFunc(groups, func(x, y *group) int { return cmp.Compare(len(y.ids), len(x.ids)) })
	pieces := make([]piece, len(groups))
	for i, g := range groups {
		rows, place := g.asked(requests)
		pieces[i] = piece{group: g, call: &pieces, rows: rows, read: func(values []float32) {
			width := len(values) / len(rows)
			for _, m := range g.members {
				for _, row := range m.asked(requests[m.request]) {
					take(m.request, width, values[int(place[row])*width:])
				}
			}
		}}
	}
	return e.queue.Do(ctx, t, pieces)
}

// Rows is how many rows the requests take: those of equal prefixes once, as far as they come into one group.
func (e *Causal) Rows(requests []Request) int {
	rows := 0
	for _, g := range sharePrefixes(requests, e.runner.limit()) {
		rows += len(g.ids)
	}
	return rows
}

// RunWithCache runs a prompt through the whole model and keeps every value.
func (e *Causal) RunWithCache(ctx context.Context, ids []int) (cache *Cache, err error) {
	if err := e.parameters.head(e.shape); err != nil {
		return nil, err
	}
	return cache, e.queue.Do(ctx, task{kind: aloneTask}, []piece{{alone: func(ctx context.Context) (err error) {
		cache, err = e.runner.cache(ctx, ids)
		return err
	}}})
}
