package run

import (
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

func TestParseRanges(t *testing.T) {
	for text, want := range map[string][]Range{
		"":           nil,
		"7":          {{7, 7}},
		"0-99,512":   {{0, 99}, {512, 512}},
		" 3 , 1 - 2": {{3, 3}, {1, 2}},
	} {
		if got, err := ParseRanges(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{",", "1,", "-1", "2-1", "a", "1-2-3", "1--2", "+1", "99999999999", "1.5"} {
		if got, err := ParseRanges(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
}

func FuzzParseRanges(f *testing.F) {
	f.Add("0-99,512")
	f.Fuzz(func(t *testing.T, text string) {
		ranges, err := ParseRanges(text)
		for _, r := range ranges {
			if err != nil || r.First < 0 || r.First > r.Last {
				t.Errorf("%q: %v, %v", text, ranges, err)
			}
		}
	})
}

func TestSelection(t *testing.T) {
	sites := func(s Selection) []n2g.Site {
		t.Helper()
		list, err := s.Sites(3, 20, "hook_mid")
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if all := sites(Selection{}); len(all) != 60 || all[59] != (n2g.Site{Layer: 2, Index: 19, Hook: "hook_mid"}) {
		t.Errorf("all: %v", all)
	}
	some := sites(Selection{Layers: []Range{{2, 2}}, Neurons: []Range{{5, 7}, {6, 6}, {0, 0}}})
	if len(some) != 4 || some[0].Index != 0 || some[3].Index != 7 || some[0].Layer != 2 {
		t.Errorf("some: %v", some)
	}
	sample := sites(Selection{Sample: 5, Seed: 3})
	if len(sample) != 15 || !slices.Equal(sample, sites(Selection{Sample: 5, Seed: 3})) {
		t.Errorf("sample: %v", sample)
	}
	if slices.Equal(sample, sites(Selection{Sample: 5, Seed: 4})) {
		t.Error("another seed gives the same sample")
	}
	if !slices.Equal(sample[5:10], sites(Selection{Layers: []Range{{1, 1}}, Sample: 5, Seed: 3})) {
		t.Error("the sample of a layer depends on what other layers are chosen")
	}
	if all := sites(Selection{Sample: 50}); len(all) != 60 {
		t.Errorf("a sample larger than the layer has %d neurons", len(all))
	}
	odd, leftOut, err := Selection{Sample: 4}.Among(3, 20, "", func(n n2g.Site) bool { return n.Index%2 == 1 })
	if err != nil || leftOut != 30 || len(odd) != 12 ||
		slices.ContainsFunc(odd, func(s n2g.Site) bool { return s.Index%2 == 0 }) {
		t.Errorf("odd ones: %v, %d left out, %v", odd, leftOut, err)
	}
	for _, bad := range []Selection{{Layers: []Range{{3, 3}}}, {Neurons: []Range{{0, 20}}}, {Sample: -1}} {
		if list, err := bad.Sites(3, 20, ""); err == nil {
			t.Errorf("%+v gives %v", bad, list)
		}
	}
}

// TestShards: every neuron is in one shard, and shards differ by one neuron at most.
func TestShards(t *testing.T) {
	sites, err := Selection{}.Sites(3, 7, "")
	if err != nil {
		t.Fatal(err)
	}
	for of := 1; of < 25; of++ {
		var joined []n2g.Site
		for number := 1; number <= of; number++ {
			own, err := shardOf(sites, store.Shard{Number: number, Of: of})
			if err != nil || len(own) < len(sites)/of || len(own) > len(sites)/of+1 {
				t.Errorf("shard %d/%d has %d neurons, %v", number, of, len(own), err)
			}
			joined = append(joined, own...)
		}
		if joined, err = shardOf(joined, store.Shard{}); err != nil || !slices.Equal(joined, sites) {
			t.Errorf("%d shards: %v", of, err)
		}
	}
	for _, text := range []string{"", "1", "0/4", "5/4", "a/b", "1/0", "1/2/3", "-1/2"} {
		if shard, err := ParseShard(text); err == nil {
			t.Errorf("%q is shard %v", text, shard)
		}
	}
	if shard, err := ParseShard("2/8"); err != nil || shard != (store.Shard{Number: 2, Of: 8}) {
		t.Errorf("2/8 is %v, %v", shard, err)
	}
	if _, err := shardOf(sites, store.Shard{Number: 3, Of: 2}); err == nil {
		t.Error("shard 3/2 exists")
	}
}
