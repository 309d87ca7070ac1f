package store

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// BenchmarkMergeShards joins the stores of 512 tasks of 90 neurons each, as many as SmolLM2 has, and reports the time,
// the heap and the size of what comes out.
func BenchmarkMergeShards(b *testing.B) {
	const shards, neurons = 512, 90
	folder := b.TempDir()
	random, words := newRandom(91), vocabulary(3000)
	paths := make([]string, shards)
	for i := range paths {
		paths[i] = filepath.Join(folder, fmt.Sprintf("%d.db", i))
		s, err := Open(paths[i], Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Begin(ctx, testIdentity()); err != nil {
			b.Fatal(err)
		}
		if err := s.Plan(ctx, Shard{i + 1, shards}, nil); err != nil {
			b.Fatal(err)
		}
		tx, err := s.db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for k := range neurons {
			e := madeUp(random, at(k%30, i*3+k/30), words, 8)
			text, err := e.MarshalJSON()
			if err != nil {
				b.Fatal(err)
			}
			row := neuronRow{Row: rowOf(e), digest: digest(text)}
			id, err := insertNeuron(ctx, tx, &row)
			if err == nil {
				err = insertTokens(ctx, tx, id, row.Site, weightedTokens(e.Trie))
			}
			if err == nil {
				_, err = tx.Exec("INSERT INTO explanations (neuron_id, json) VALUES (?, ?)", id, string(text))
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		out := filepath.Join(folder, "all.db")
		os.Remove(out)
		s, err := Open(out, Options{})
		if err != nil {
			b.Fatal(err)
		}
		highest := uint64(0)
		for i, path := range paths {
			if _, err := s.Merge(ctx, path); err != nil {
				b.Fatal(err)
			}
			if i%64 == 63 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapInuse)
			}
		}
		missing, err := s.MissingShards(ctx)
		if err != nil || len(missing) > 0 {
			b.Fatal(missing, err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(out)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(highest)/1e6, "heap-MB")
		b.ReportMetric(float64(info.Size())/1e6, "MB")
	}
}
