package store

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// readGolden reads a reference result.
// TestStatsGolden: the report of scores is what scikit-learn reports.
func TestStatsGolden(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/golden/neurons*/neuron_*.json.gz")
	if err != nil || len(paths) == 0 {
		t.Fatal("no reference results", err)
	}
	for _, path := range paths {
		var golden struct {
			Stats map[string]any `json:"stats"`
			Eval  []struct {
				Truth     []float64 `json:"truth"`
				Predicted []float64 `json:"pred"`
			}
		}
		testfile.JSON(t, path, &golden)
		if golden.Stats == nil {
			continue // the reference failed on it
		}
		class := func(name string) (c n2g.ClassScores) {
			values, ok := golden.Stats[name].(map[string]any)
			if ok {
				c = n2g.ClassScores{Precision: values["precision"].(float64), Recall: values["recall"].(float64),
					F1: values["f1-score"].(float64), Support: int(values["support"].(float64))}
			}
			return c
		}
		scores := n2g.Scores{Firing: class("1"), NonFiring: class("0"), R2: golden.Stats["correlation"].(float64)}
		encoded, err := json.Marshal(report(scores))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if !alike(got, golden.Stats) {
			t.Errorf("%s: %v, want %v", path, got, golden.Stats)
		}
		if strings.Contains(path, "2_117") && !strings.Contains(string(encoded), `"support":35.0`) {
			t.Errorf("support is no float: %s", encoded)
		}
	}
}

// alike compares JSON, numbers to 1e-9.
func alike(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for key, value := range a {
			if !alike(value, m[key]) {
				return false
			}
		}
		return true
	case float64:
		x, ok := b.(float64)
		return ok && math.Abs(a-x) <= 1e-9*max(1, math.Abs(x))
	}
	return reflect.DeepEqual(a, b)
}

func TestExport(t *testing.T) {
	s := testStore(t)
	all := fill(t, s, 7, 25)
	plain := madeUp(newRandom(8), at(3, 1), vocabulary(9), 2)
	plain.Scores, plain.Baselines = nil, nil
	if err := s.Put(ctx, plain); err != nil {
		t.Fatal(err)
	}
	all["3_1"] = plain

	var out bytes.Buffer
	if err := s.ExportJSONLines(ctx, &out); err != nil {
		t.Fatal(err)
	}
	count := 0
	for e, err := range n2g.ReadExplanations(&out) {
		if err != nil || !reflect.DeepEqual(e, all[e.Site.PublishedName()]) {
			t.Fatalf("line %d: %v", count, err)
		}
		count++
	}
	if count != len(all) {
		t.Errorf("%d lines", count)
	}

	out.Reset()
	if err := s.ExportNeuronStore(ctx, &out); err != nil {
		t.Fatal(err)
	}
	var tokens map[string]map[string][]string
	if err := json.Unmarshal(out.Bytes(), &tokens); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string][]string{"activating": {}, "important": {}}
	for name, e := range all {
		sets := n2g.NewTokenSets(e.Trie)
		for kind, list := range map[string][]string{"activating": sets.Activating, "important": sets.Important} {
			for _, token := range list {
				want[kind][token] = append(want[kind][token], name)
			}
		}
	}
	for _, kind := range []map[string]map[string][]string{tokens, want} {
		for _, of := range kind {
			for _, names := range of {
				slices.Sort(names)
			}
		}
	}
	if !reflect.DeepEqual(tokens, want) {
		t.Errorf("neuron_store.json %v, want %v", tokens, want)
	}

	out.Reset()
	if err := s.ExportStats(ctx, &out); err != nil {
		t.Fatal(err)
	}
	var stats map[string]map[string]map[string]any
	if err := json.Unmarshal(out.Bytes(), &stats); err != nil {
		t.Fatal(err)
	}
	if _, ok := stats["3"]["1"]; ok || stats["3"]["3"]["correlation"] != all["3_3"].Scores.R2 {
		t.Errorf("stats.json %v", stats["3"])
	}

	out.Reset()
	if err := s.ExportCSV(ctx, &out); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(table) != len(all)+1 || table[0][0] != "layer" ||
		table[0][len(table[0])-1] != "label" {
		t.Fatalf("%d lines of CSV, %v, head %v", len(table), err, table[0])
	}
	for _, line := range table[1:] {
		if want := all[line[0]+"_"+line[1]].Label(); line[len(line)-1] != want {
			t.Errorf("%s/%s: label %q, want %q", line[0], line[1], line[len(line)-1], want)
		}
	}

	out.Reset()
	if err := s.ExportComparisons(ctx, &out); err != nil {
		t.Fatal(err)
	}
	if table, err = csv.NewReader(&out).ReadAll(); err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range table[0] {
		column[name] = i
	}
	lines := map[string]int{} // of each neuron
	for _, line := range table[1:] {
		name := line[column["layer"]] + "_" + line[column["neuron"]]
		c := all[name].Comparisons[lines[name]]
		lines[name]++
		for name, want := range map[string]string{"text": c.Text, "predictor": c.Predictor, "label": all[name].Label(),
			"firing_f1": number(c.Scores.Firing.F1), "firing_support": strconv.Itoa(c.Scores.Firing.Support),
			"pearson": number(c.Scores.Pearson), "fire_threshold": number(c.FireThreshold),
			"log_loss": optional(c.LogLoss), "value_error": optional(c.ValueError)} {
			if got := line[column[name]]; got != want {
				t.Errorf("%s of %s: %q, want %q", name, line, got, want)
			}
		}
	}
	for name, e := range all {
		if lines[name] != len(e.Comparisons) {
			t.Errorf("%s has %d lines of %d comparisons", name, lines[name], len(e.Comparisons))
		}
	}
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}
