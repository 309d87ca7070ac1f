package run

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// Range is the whole numbers from First to Last, both included.
type Range struct{ First, Last int }

// ParseRanges reads numbers and ranges between commas, such as 0-99,512. Empty text is nil, which selects all.
func ParseRanges(text string) ([]Range, error) {
	var ranges []Range
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" && text == "" {
			return nil, nil
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		r := Range{}
		var err error
		if r.First, err = parseNumber(first); err == nil {
			r.Last, err = parseNumber(last)
		}
		if err != nil || r.First > r.Last {
			return nil, fmt.Errorf("%q is no list of numbers from 0: write it like 0-99,512", text)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// parseNumber reads digits, without a sign.
func parseNumber(text string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	return int(n), err
}

// expand returns the numbers of ranges, ascending and once, that all lie below n; all below n if ranges is nil.
func expand(ranges []Range, n int, what string) ([]int, error) {
	chosen := make([]bool, n)
	for _, r := range ranges {
		if r.First < 0 || r.First > r.Last || r.Last >= n {
			return nil, fmt.Errorf("there is no %s %d: they are 0 to %d", what, max(r.First, r.Last), n-1)
		}
		for i := r.First; i <= r.Last; i++ {
			chosen[i] = true
		}
	}
	list := []int{}
	for i, c := range chosen {
		if c || ranges == nil {
			list = append(list, i)
		}
	}
	return list, nil
}

// Selection chooses neurons of a model. The zero value is all of them.
type Selection struct {
	Layers  []Range // nil: all
	Neurons []Range // of each layer; nil: all
	// Sample, if above 0, is how many of those are taken in each layer, by chance; all where there are fewer.
	Sample int
	// Seed of the sample. A layer's sample depends on the seed and the layer only.
	Seed uint64
}

// Sites returns the chosen neurons of a model with so many layers of so many neurons, by layer and index.
func (s Selection) Sites(layers, neurons int, hook string) ([]n2g.Site, error) {
	sites, _, err := s.Among(layers, neurons, hook, nil)
	return sites, err
}

// Among is Sites of those neurons only that has accepts, nil being all: a sample is taken from them. It also returns
// how many of the layers' chosen neurons were left out for it.
func (s Selection) Among(layers, neurons int, hook string, has func(n2g.Site) bool) (sites []n2g.Site, leftOut int,
	err error) {
	chosenLayers, err := expand(s.Layers, layers, "layer")
	if err != nil {
		return nil, 0, err
	}
	chosen, err := expand(s.Neurons, neurons, "neuron")
	if err != nil {
		return nil, 0, err
	}
	if s.Sample < 0 {
		return nil, 0, fmt.Errorf("a sample of %d neurons a layer is asked: it is at least 1", s.Sample)
	}
	sites = []n2g.Site{}
	for _, layer := range chosenLayers {
		of := slices.DeleteFunc(slices.Clone(chosen),
			func(index int) bool { return has != nil && !has(n2g.Site{Layer: layer, Index: index, Hook: hook}) })
		leftOut += len(chosen) - len(of)
		for _, index := range s.sample(of, layer) {
			sites = append(sites, n2g.Site{Layer: layer, Index: index, Hook: hook})
		}
	}
	return sites, leftOut, nil
}

// sample returns the neurons that are taken of a layer, ascending.
func (s Selection) sample(of []int, layer int) []int {
	if s.Sample == 0 || s.Sample >= len(of) {
		return of
	}
	random := rand.New(rand.NewPCG(s.Seed, uint64(layer)))
	taken := make([]int, s.Sample)
	for i, k := range random.Perm(len(of))[:s.Sample] {
		taken[i] = of[k]
	}
	slices.Sort(taken)
	return taken
}

// ParseShard reads i/n, from 1/n to n/n.
func ParseShard(text string) (store.Shard, error) {
	number, of, _ := strings.Cut(text, "/")
	i, err1 := parseNumber(number)
	n, err2 := parseNumber(of)
	if errors.Join(err1, err2) != nil || i < 1 || i > n {
		return store.Shard{}, fmt.Errorf("%q is no shard: write 1/4 for the first of four, to 4/4", text)
	}
	return store.Shard{Number: i, Of: n}, nil
}

// shardOf returns the sites that belong to a shard: of those in order of layer and index, every Of-th from the
// Number-th on, so that every shard has its part of each layer. The zero shard has all.
func shardOf(sites []n2g.Site, shard store.Shard) ([]n2g.Site, error) {
	sites = slices.Clone(sites)
	slices.SortFunc(sites, n2g.Site.Compare)
	sites = slices.CompactFunc(sites, func(a, b n2g.Site) bool { return a.WithoutHook() == b.WithoutHook() })
	if shard == (store.Shard{}) {
		return sites, nil
	}
	if shard.Number < 1 || shard.Number > shard.Of {
		return nil, fmt.Errorf("there is no shard %v: of %d they are 1 to %[2]d", shard, shard.Of)
	}
	own := []n2g.Site{}
	for i := shard.Number - 1; i < len(sites); i += shard.Of {
		own = append(own, sites[i])
	}
	return own, nil
}
