package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// whole is the file that one collector makes.
func (w *world) whole(t *testing.T, o Options) []byte {
	t.Helper()
	c := w.collect(t, w.build(t, o), o, upTo(len(w.values)))
	var file bytes.Buffer
	if err := join(&file, c.corpus, []source{collected{c, ranges(c.covered)}}, o, whole); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func (w *world) open(t *testing.T, out string, sites []Site, o Options) (*Work, error) {
	return OpenWork(out, out+".part", false, w.corpus, sites, o, func(b *CorpusBuilder) error {
		for d, windows := range w.documents {
			if err := b.Begin(fmt.Sprintf("d%d.txt", d)); err != nil {
				return err
			}
			b.Hash(fmt.Sprint(windows))
			for _, ids := range windows {
				if err := b.Window(WindowIDs{IDs: ids, Start: -1}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// add gives a work some windows of some sites.
func (w *world) add(t *testing.T, c *Collector, window int) {
	t.Helper()
	half := w.sites()[0].Neurons
	for i, site := range c.sites {
		part := [2]int{0, half}
		if site.Layer == w.sites()[1].Layer {
			part = [2]int{half, len(w.values[0][0])}
		}
		if err := c.Add(i, window, flat(w.values[window], part[0], part[1])); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorkGoesOn: stopped at any window, and flushed at any, the work ends with the bytes of one run.
func TestWorkGoesOn(t *testing.T) {
	for seed := range uint64(4) {
		o := Options{Keep: 0.02, Dense: 0.1, Examples: 4, SampleEvery: 5, Signs: 1 + int(seed%2)}
		w := newWorld(seed, 50, 12)
		want := w.whole(t, o)
		random := rand.New(rand.NewPCG(seed, 3))
		out := filepath.Join(t.TempDir(), "x.n2g")
		done := false
		for stops := 0; !done; stops++ {
			work, err := w.open(t, out, w.sites(), o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.open(t, out, w.sites(), o); err == nil || !strings.Contains(err.Error(), "goes on already") {
				t.Fatalf("a second process was let in: %v", err)
			}
			left := random.IntN(30)
			done = true
			for _, r := range work.Missing(0, len(w.values)) {
				for n := r[0]; n < r[1] && left > 0; n, left = n+1, left-1 {
					w.add(t, work.Collector, n)
					if random.IntN(5) == 0 {
						if err := work.Flush(1, time.Hour); err != nil {
							t.Fatal(err)
						}
					}
				}
				done = left > 0
			}
			if done {
				if err := work.Write(out, false); err != nil {
					t.Fatal(err)
				}
			}
			if err := work.Close(); err != nil {
				t.Fatal(err)
			}
			os.WriteFile(filepath.Join(out+".part", "part-000099.tmp"), []byte("a killed writer left this"), 0o644)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %d bytes, not the %d of one run: %v", seed, len(got), len(want), err)
		}
		if err := removeWork(out + ".part"); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(out + ".*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		x, err := Open(out)
		if err != nil {
			t.Fatal(err)
		}
		w.compare(t, x, o.resolved())
		x.Close()
	}
}

// TestShardsMerge: shards by windows and by layers join to the bytes of one run.
func TestShardsMerge(t *testing.T) {
	o := Options{Keep: 0.02, Dense: 0.1, Examples: 4, SampleEvery: 5}
	w := newWorld(9, 50, 12)
	want := w.whole(t, o)
	folder := t.TempDir()
	var shards []string
	n := len(w.values)
	for i, sites := range [][]Site{w.sites()[1:], w.sites()[:1]} {
		for j, r := range [][2]int{{n / 3, n}, {0, n / 3}} {
			path := filepath.Join(folder, fmt.Sprintf("%d-%d", i, j))
			work, err := w.open(t, path, sites, o)
			if err != nil {
				t.Fatal(err)
			}
			for k := r[0]; k < r[1]; k++ {
				w.add(t, work.Collector, k)
			}
			if err := work.Write(path, true); err != nil {
				t.Fatal(err)
			}
			work.Close()
			shards = append(shards, path)
		}
	}
	out := filepath.Join(folder, "all")
	if err := Merge(out, shards[:3]); err == nil || !strings.Contains(err.Error(), "join the parts of all") {
		t.Errorf("a shard is missing: %v", err)
	}
	if err := Merge(out, append(shards, shards[0])); err == nil || !strings.Contains(err.Error(), "two parts hold") {
		t.Errorf("a shard came twice: %v", err)
	}
	if _, err := Open(shards[0]); err == nil || !strings.Contains(err.Error(), "it is a part") {
		t.Errorf("a shard was opened: %v", err)
	}
	if err := Merge(out, shards); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes, not the %d of one run: %v", len(got), len(want), err)
	}
}

// TestWindowsAtTheSameTime: windows that come at the same time give the bytes of those that come one by one.
func TestWindowsAtTheSameTime(t *testing.T) {
	o := Options{Keep: 0.02, Dense: 0.1, Examples: 4, SampleEvery: 5, Signs: 2}
	w := newWorld(6, 80, 150)
	want := w.whole(t, o)
	corpus := w.build(t, o)
	c, err := NewCollector(corpus, w.sites(), o)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			for n := k; n < len(w.values); n += 4 {
				for site, part := range [][2]int{{0, 75}, {75, 150}} {
					if err := c.Add(site, n, flat(w.values[n], part[0], part[1])); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wait.Wait()
	var file bytes.Buffer
	if err := join(&file, corpus, []source{collected{c, ranges(c.covered)}}, o, whole); err != nil ||
		!bytes.Equal(file.Bytes(), want) {
		t.Errorf("the bytes differ, %v", err)
	}
}

func TestWorkRefusesAnotherPass(t *testing.T) {
	w := newWorld(1, 20, 12)
	out := filepath.Join(t.TempDir(), "x.n2g")
	work, err := w.open(t, out, w.sites(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.add(t, work.Collector, 0)
	if err := work.Flush(1, 0); err != nil {
		t.Fatal(err)
	}
	work.Close()
	if _, err := w.open(t, out, w.sites(), Options{Keep: 0.1}); err == nil ||
		!strings.Contains(err.Error(), "keep 0.005, not 0.1") {
		t.Errorf("other options: %v", err)
	}
	if _, err := w.open(t, out, w.sites()[:1], Options{}); err == nil ||
		!strings.Contains(err.Error(), "began otherwise") {
		t.Errorf("other layers: %v", err)
	}
	others := w.sites()
	others[1].Beside = "auto-encoder 1f"
	if _, err := w.open(t, out, others, Options{}); err == nil ||
		!strings.Contains(err.Error(), "by auto-encoder 1f") {
		t.Errorf("features: %v", err)
	}
	w.documents[3][0][0] ^= 1
	if _, err := w.open(t, out, w.sites(), Options{}); err == nil ||
		!strings.Contains(err.Error(), "the corpus is not what it was") {
		t.Errorf("another corpus: %v", err)
	}
}

// TestJoinOfOtherFeatures: parts that were read through two auto-encoders are not one index.
func TestJoinOfOtherFeatures(t *testing.T) {
	w, o := newWorld(3, 20, 12), Options{}
	var parts []source
	for i, beside := range []string{"auto-encoder 1f", "auto-encoder 2e"} {
		c := w.collect(t, w.build(t, o), o, upTo(len(w.values)))
		c.sites = slices.Clone(c.sites)
		c.sites[0].Beside = beside
		parts = append(parts, collected{c, [][2]int{{i * 10, i*10 + 10}}})
	}
	err := join(io.Discard, parts[0].(collected).corpus, parts, o, shard)
	if err == nil || !strings.Contains(err.Error(), "auto-encoder 1f, and with auto-encoder 2e") {
		t.Errorf("%v", err)
	}
}

// TestDamageIsRefused: no bit of a file can change without an error, whatever is asked.
func TestDamageIsRefused(t *testing.T) {
	w := newWorld(2, 12, 6)
	o := Options{SampleEvery: 3, Examples: 3}
	file := w.whole(t, o)
	for at := 0; at < len(file); at += 7 {
		damaged := bytes.Clone(file)
		damaged[at] ^= 1 << (at % 8)
		if err := readAll(damaged); err == nil {
			t.Fatalf("a bit of byte %d of %d changed, and nothing was noticed", at, len(file))
		}
	}
	for _, size := range []int{0, 1, 7, 8, 63, 64, 100, len(file) / 2, len(file) - 1} {
		if err := readAll(file[:size]); err == nil {
			t.Errorf("cut at %d of %d, and nothing was noticed", size, len(file))
		}
	}
	if err := readAll([]byte(`{"format":"n2g-examples/2"`)); err == nil ||
		!strings.Contains(err.Error(), "mine the corpus again") {
		t.Errorf("what earlier versions wrote: %v", err)
	}
}

// TestNoWindows: an index of nothing, which no corpus makes, is refused.
func TestNoWindows(t *testing.T) {
	x, err := Read(newWorld(2, 4, 4).whole(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	meta := x.meta
	meta.Documents, meta.Windows, meta.Positions, meta.Counted, meta.Covered = 0, 0, 0, 0, nil
	if err := meta.check(); err == nil {
		t.Error("an index of no windows is taken")
	}
}

// TestHostileFiles: bits that change under right checksums end in an answer or an error.
func TestHostileFiles(t *testing.T) {
	file := newWorld(2, 4, 4).whole(t, Options{SampleEvery: 2})
	random := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		damaged := bytes.Clone(file)
		for range 1 + random.IntN(3) {
			damaged[random.IntN(len(damaged))] ^= byte(1 << random.IntN(8))
		}
		sealed(damaged)
		readAll(damaged) // damage is expected; panics are not
	}
}

// readAll asks an index everything.
func readAll(data []byte) error {
	x, err := Read(data)
	if err != nil {
		return err
	}
	for d := range x.meta.Documents {
		if _, err := x.Document(d); err != nil {
			return err
		}
	}
	for n := range x.meta.Windows {
		window, err := x.Window(n)
		if err != nil {
			return err
		}
		if _, err := x.IDs(window.First, window.End); err != nil {
			return err
		}
		if _, _, err := x.WindowText(n); err != nil {
			return err
		}
	}
	for n := range x.meta.Neurons() {
		if _, err := x.Stats(n); err != nil {
			return err
		}
		if _, err := x.Top(n, 20); err != nil {
			return err
		}
		if _, err := x.Bands(n, 10, 3, 0); err != nil {
			return err
		}
		if _, err := x.HardNegatives(n, 5, 0); err != nil {
			return err
		}
		for _, window := range x.Sample() {
			if _, err := x.SampleValues(n, window); err != nil {
				return err
			}
		}
	}
	_, _, err = x.Occurrences([]int{1, 2}, 10)
	for name := range x.file.sections {
		if _, err := x.file.all(name); err != nil {
			return err
		}
	}
	return err
}

// FuzzRead: whatever bytes say, reading them ends, with an answer or an error. What is varied is a list of changes to a
// sound file, not the file: the fuzzer spends most of its time shortening inputs of thousands of bytes.
func FuzzRead(f *testing.F) {
	w := newWorld(2, 4, 4)
	t := &testing.T{}
	files := [][]byte{w.whole(t, Options{SampleEvery: 2}), w.whole(t, Options{Signs: 2, NoSuffixes: true})}
	f.Add(uint8(0), []byte{0, 0, 0, 1})
	f.Add(uint8(1), []byte{70, 0, 0, 255, 1, 16, 3, 9})
	f.Add(uint8(1), []byte{0, 4, 9, 0})
	f.Add(uint8(0), []byte{200, 15, 5, 200})
	f.Fuzz(func(_ *testing.T, which uint8, changes []byte) {
		data := changed(files[int(which)%len(files)], changes)
		sealed(data)
		readAll(data) // damage is expected; panics are not
	})
}

// changed does to a copy of data what each four bytes of changes say: at a place (two bytes), what (one), with which
// value (one).
func changed(data, changes []byte) []byte {
	data = bytes.Clone(data)
	for ; len(changes) >= 4 && len(data) > 0; changes = changes[4:] {
		at, what, value := int(binary.LittleEndian.Uint16(changes))%len(data), changes[2], changes[3]
		switch width := int(what % 8); {
		case what >= 250: // the file ends there
			data = data[:at]
		case width == 0:
			data[at] ^= value
		default: // a number of several bytes, with its sign
			for k := range min(width, len(data)-at) {
				data[at+k] = byte(int64(int8(value)) >> (8 * k))
			}
		}
	}
	return data
}

// sealed makes the checksums of damaged bytes right, where the trailer can be read, so that what lies behind them is
// tried.
func sealed(data []byte) {
	if len(data) < headerSize+trailerSize {
		return
	}
	trailer := data[len(data)-trailerSize:]
	end, sums := binary.LittleEndian.Uint64(trailer), binary.LittleEndian.Uint64(trailer[8:])
	size := uint64(len(data) - trailerSize)
	if end > size || sums > size-end || sums != 4*((end+blockSize-1)/blockSize) {
		return
	}
	for i := uint64(0); i < sums/4; i++ {
		block := data[i*blockSize : min((i+1)*blockSize, end)]
		binary.LittleEndian.PutUint32(data[end+4*i:], crc32.Checksum(block, castagnoli))
	}
	binary.LittleEndian.PutUint32(trailer[24:], crc32.Checksum(data[end:size], castagnoli))
	binary.LittleEndian.PutUint32(trailer[28:], crc32.Checksum(trailer[:28], castagnoli))
}
